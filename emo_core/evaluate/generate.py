"""Videos to be judged: from each true clip's first frame, its own sound, and another clip's, as controls.

    OUT/true/KEY.mp4       the clip as the model sees it       OUT/generated/KEY.mp4  from its own sound
    OUT/other/KEY.mp4      from the next clip's sound

What is there already is kept, so a stopped run goes on.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import torch
from tqdm import tqdm

from ..audio.augment import Alteration
from ..dataset.clip_cutting import Recipe, prepare_video
from ..dataset.filters import Rules
from ..dataset.prepare import find_videos, source_key
from ..dataset.shards import Clip, encode_sound, encode_video
from ..emo.sampling.denoiser import Denoiser
from ..emo.sampling.generate import Settings
from ..emo.training.objective import Frozen
from ..emo.training.setup import frozen_parts
from ..emo.training.validate import generate_video
from ..emo.weights.checkpoint import load_checkpoint
from ..errors import InputError
from ..face.box import Box
from ..face.detectors import make_detector
from ..face.region import region_mask
from ..files import file_digest, write_json
from ..media.sound import SAMPLE_RATE
from ..media.video_reader import open_source, sound_of
from ..media.video_writer import VideoWriter

NAMES = "content"
"""What files are called by; videos under names of another kind would be judged beside their own twins."""
ANY = Rules(min_seconds=1.0, max_seconds=60.0, sync_seconds=1e9, side=0.0, margin=float("-inf"), luma=0.0, speech=0.0)
"""Clips are judged here whatever their picture or sound is like."""


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
    parts = [pairs[number :: plan.workers] for number in range(min(max(1, plan.workers), len(pairs)))]
    if len(parts) == 1:
        made = _make_some(plan, pairs)
    else:
        with ProcessPoolExecutor(len(parts), mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            made = sum(pool.map(_make_some, [plan] * len(parts), parts))
    if not made:
        raise InputError(f"videos: none of {len(videos)} has a face and a sound that can be used")
    return made


def _begin(plan: Plan) -> None:
    """Videos of another checkpoint or other settings must not pass for this plan's."""
    how = asdict(plan) | {"checkpoint": file_digest(plan.checkpoint)[:16], "names": NAMES}
    for name in ("out", "workers", "face_model"):
        del how[name]
    told, file = json.loads(json.dumps(how, default=str)), plan.out / "plan.json"
    if file.is_file() and json.loads(file.read_text()) != told:
        raise InputError(f"out: {plan.out} holds videos of another checkpoint or other settings; give another folder")
    plan.out.mkdir(parents=True, exist_ok=True)
    write_json(file, told)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _make_some(plan: Plan, pairs: list[tuple[Path, Path]]) -> int:
    """Generate for pairs of a video and the one whose sound is its control; gives the number of usable ones."""
    model = load_checkpoint(plan.checkpoint, dtype=plan.dtype)
    maker = _Maker(plan, Denoiser(model.emo), frozen_parts(model, plan.audio_encoder))
    return sum(tqdm((maker.make(*pair) for pair in pairs), total=len(pairs), desc="generate", disable=None))


class _Maker:
    """One process's model and face detector."""

    def __init__(self, plan: Plan, denoiser: Denoiser, frozen: Frozen) -> None:
        self.plan, self.denoiser, self.frozen = plan, denoiser, frozen
        self.config = denoiser.emo.config
        self.detector = make_detector(plan.face_model, landmarks=True)

    def make(self, video: Path, other: Path) -> bool:
        """Write what is missing; False where the video has no usable clip."""
        key, plan = source_key(video), self.plan
        wanted = ["generated", "true", *(["other"] if plan.others and other != video else [])]
        missing = [name for name in wanted if not _file(plan, name, key).is_file()]
        if not missing:
            return True
        clip = self._clip(video)
        if clip is None:
            return False
        own = clip.sound()
        for name in missing:
            try:
                sound = self._sound(other, len(own)) if name == "other" else own
                frames = clip.pictures() if name == "true" else self._speak(clip, sound)
            except (InputError, av.FFmpegError, ValueError, IndexError) as error:  # Silence, above all.
                tqdm.write(f"{video.name}: not {name} ({error})", file=sys.stderr)
                if name == "generated":
                    return False
                continue
            _write(_file(plan, name, key), frames, sound, self.config.fps)
        return True

    def _clip(self, video: Path) -> Clip | None:
        """The first usable clip of a video, framed as the model sees it."""
        recipe = Recipe(fps=self.config.fps, size=self.config.image_size, rules=ANY)
        decisions = prepare_video(video, source_key(video), recipe, self.detector)
        clip, seconds = next((clip for _, clip in decisions if clip is not None), None), self.plan.seconds
        return clip if clip is None or seconds is None else _shortened(clip, seconds, self.config.fps)

    @staticmethod
    def _sound(video: Path, samples: int) -> np.ndarray:
        """As much of another video's sound, repeated where it is too short."""
        source = open_source(video)
        if source.sound_start is None:
            raise InputError(f"{video.name} has no sound")
        return np.resize(sound_of(source), samples)

    def _speak(self, clip: Clip, sound: np.ndarray) -> np.ndarray:
        plan, config = self.plan, self.config
        speed = None if plan.speed is None else torch.full((clip.frames,), float(plan.speed))
        mask = None
        if plan.region is not None:
            box = Box(*(share * config.image_size for share in plan.region))
            mask = region_mask(box, config.image_size, config.mask_size)
        heard = plan.alteration(sound)
        return generate_video(self.denoiser, self.frozen, clip, heard, plan.settings, speed=speed, mask=mask)[
            : clip.frames
        ]


def _shortened(clip: Clip, seconds: float, fps: float) -> Clip:
    frames = round(seconds * fps)
    sound = clip.sound()[: round(frames / fps * SAMPLE_RATE)]
    return replace(
        clip, labels=clip.labels[:frames], video=encode_video(clip.pictures()[:frames], fps), flac=encode_sound(sound)
    )


def _file(plan: Plan, name: str, key: str) -> Path:
    return plan.out / name / f"{key}.mp4"


def _write(file: Path, frames: np.ndarray, sound: np.ndarray, fps: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    flac = file.with_suffix(".flac")
    flac.write_bytes(encode_sound(sound))
    try:
        with VideoWriter(file, fps=fps, size=frames.shape[2:0:-1], sound=flac) as writer:
            for frame in frames:
                writer.write(frame)
    finally:
        flac.unlink()
