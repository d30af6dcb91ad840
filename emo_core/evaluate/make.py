"""Videos to be judged: from each true clip's first frame, its own sound, and another clip's, as controls.

    OUT/true/KEY.mp4       the clip as the model sees it       OUT/generated/KEY.mp4  from its own sound
    OUT/other/KEY.mp4      from the next clip's sound

What is there already is kept, so a stopped run goes on.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..audio.alter import Alteration
from ..errors import InputError
from ..face.box import Box
from ..face.detect import make_detector
from ..face.region import region_mask
from ..sampling.denoiser import Denoiser
from ..sampling.generate import Settings
from ..trainer.begin import frozen_parts
from ..trainer.judge import Rules
from ..trainer.prepare import Recipe, prepare_video
from ..trainer.preparing import find_videos, source_key
from ..trainer.shards import Clip, encode_sound, write_json
from ..trainer.validate import speak
from ..video import VideoWriter
from ..weights.checkpoint import load_checkpoint

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds of a clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to generate."""

    checkpoint: Path
    videos: tuple[Path, ...]
    out: Path
    settings: Settings
    alteration: Alteration = field(default_factory=Alteration)
    others: bool = True
    """Whether the controls from another clip's sound are made too."""
    limit: int = 0
    """Clips, evenly chosen; 0 for all."""
    speed: float | None = None
    """Head speed for all frames; None leaves the speed layers out."""
    region: tuple[float, float, float, float] | None = None
    """Face region as left, top, right, bottom shares of the picture; None takes the true face's."""
    seconds: float | None = None
    """Only the first seconds of each clip."""
    face_model: Path | None = None
    audio_encoder: Path | None = None
    """A local wav2vec2, for checkpoints that bring none."""
    dtype: torch.dtype = torch.float32
    workers: int = 1


def make(plan: Plan) -> int:
    """Generate what is missing.

    Returns:
        number of clips.

    Raises:
        InputError: where no video has a usable clip, or the folder holds videos of another plan.
    """
    _begin(plan)
    videos = find_videos(list(plan.videos))
    if plan.limit and plan.limit < len(videos):
        videos = [videos[i] for i in np.linspace(0, len(videos) - 1, plan.limit).round().astype(int)]
    pairs = list(zip(videos, [*videos[1:], videos[0]], strict=True))
    if plan.workers <= 1:
        made = sum(tqdm((_make_one(plan, *pair) for pair in pairs), total=len(pairs), desc="generate", disable=None))
    else:
        with ProcessPoolExecutor(plan.workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            jobs = pool.map(_make_one, [plan] * len(pairs), *zip(*pairs, strict=True))
            made = sum(tqdm(jobs, total=len(pairs), desc="generate", disable=None))
    if not made:
        raise InputError(f"videos: none of {len(videos)} has a face and a sound that can be used")
    return made


def _begin(plan: Plan) -> None:
    """Videos of another checkpoint or other settings must not pass for this plan's."""
    how = asdict(plan) | {"checkpoint": sha256(plan.checkpoint.read_bytes()).hexdigest()[:16]}
    for name in ("out", "workers", "face_model"):
        del how[name]
    told, file = json.loads(json.dumps(how, default=str)), plan.out / "plan.json"
    if file.is_file() and json.loads(file.read_text()) != told:
        raise InputError(f"out: {plan.out} holds videos of another checkpoint or other settings; give another folder")
    plan.out.mkdir(parents=True, exist_ok=True)
    write_json(file, told)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _make_one(plan: Plan, video: Path, other: Path) -> int:
    """Generate for one video; 0 where it has no usable clip."""
    key = source_key(video)
    wanted = ["true", "generated", *(["other"] if plan.others and other != video else [])]
    missing = [name for name in wanted if not _file(plan, name, key).is_file()]
    if not missing:
        return 1
    model = load_checkpoint(plan.checkpoint, dtype=plan.dtype)
    clip = _clip(plan, video, model.config.fps, model.config.image_size)
    if clip is None:
        return 0
    denoiser, frozen = Denoiser(model.emo), frozen_parts(model, plan.audio_encoder)
    own = clip.sound()
    for name in missing:
        if name == "true":
            _write(plan, name, key, clip.pictures(), own, model.config.fps)
            continue
        heard = own
        if name == "other":
            found = _clip(plan, other, model.config.fps, model.config.image_size)
            if found is None:
                continue
            heard = np.resize(found.sound(), len(own))
        speed = None if plan.speed is None else torch.full((clip.frames,), float(plan.speed))
        mask = None
        if plan.region is not None:
            box = Box(*(share * model.config.image_size for share in plan.region))
            mask = region_mask(box, model.config.image_size, model.config.mask_size)
        frames = speak(denoiser, frozen, clip, plan.alteration(heard), plan.settings, speed=speed, mask=mask)
        _write(plan, name, key, frames[: clip.frames], heard, model.config.fps)
    return 1


def _clip(plan: Plan, video: Path, fps: float, size: int) -> Clip | None:
    """The first usable clip of a video, framed as the model sees it."""
    rules = Rules(min_seconds=SHORTEST, max_seconds=LONGEST, sync_seconds=1e9, side=0.0, luma=0.0, speech=0.0)
    _, clips = prepare_video(
        video,
        source_key(video),
        Recipe(fps=fps, size=size, rules=rules),
        make_detector(plan.face_model, landmarks=True),
    )
    clip = next(iter(clips), None)
    return clip if clip is None or plan.seconds is None else _shortened(clip, round(plan.seconds * fps), fps)


def _shortened(clip: Clip, frames: int, fps: float) -> Clip:
    from ..trainer.labels import Labels
    from ..trainer.shards import encode_video

    labels = Labels(**{name: getattr(clip.labels, name)[:frames] for name in Labels.__dataclass_fields__})
    sound = clip.sound()[: round(frames / fps * 16_000)]
    return replace(clip, labels=labels, video=encode_video(clip.pictures()[:frames], fps), flac=encode_sound(sound))


def _file(plan: Plan, name: str, key: str) -> Path:
    return plan.out / name / f"{key}.mp4"


def _write(plan: Plan, name: str, key: str, frames: np.ndarray, sound: np.ndarray, fps: float) -> None:
    file = _file(plan, name, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    flac = file.with_suffix(".flac")
    flac.write_bytes(encode_sound(sound))
    try:
        with VideoWriter(file, fps=fps, size=frames.shape[2:0:-1], sound=flac) as writer:
            for frame in frames:
                writer.write(frame)
    finally:
        flac.unlink()
