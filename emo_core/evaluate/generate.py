"""Generate videos with a checkpoint for an evaluation.

    OUT/true/KEY.mp4       the true clip at the model's size and rate
    OUT/generated/KEY.mp4  from the clip's first frame and its own sound
    OUT/other/KEY.mp4      control: from the clip's first frame and the next clip's sound

Existing videos are kept, so a stopped run continues.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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
from ..emo.finite import NotFiniteError
from ..emo.sampling.generate import Settings
from ..emote.weights import EMOTE_MINI
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from ..files import file_digest, write_json
from ..media.sound import SAMPLE_RATE
from ..media.video_reader import open_source, sound_of
from ..media.video_writer import VideoWriter
from .makers import EmoMaker, Maker, PortraitMaker

ANY = Rules(
    min_seconds=1.0,
    max_seconds=60.0,
    sync_seconds=1e9,
    side=0.0,
    margin=float("-inf"),
    luma=0.0,
    speech=0.0,
    profiles=1.0,
    tilted=1.0,
)
"""Filters that keep clips of any picture and sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Videos to generate, and how."""

    checkpoint: Path | None
    """Of an EMO model; None for the portrait model."""
    videos: tuple[Path, ...]
    out: Path
    settings: Settings
    """Of an EMO model; of the portrait model, its seed alone counts."""
    alteration: Alteration = field(default_factory=Alteration)
    controls: bool = True
    """Whether controls are generated from another clip's sound."""
    limit: int = 0
    """Number of videos, evenly chosen; 0 for all."""
    speed: float | None = None
    """Head speed of all frames in degrees per frame; None leaves the speed layers out."""
    region: tuple[float, float, float, float] | None = None
    """Face region as left, top, right, bottom shares of the picture; None for the true clip's face region."""
    seconds: float | None = None
    """Only the first seconds of each clip."""
    face_model: Path | None = None
    audio_encoder: Path | None = None
    """A local wav2vec2, for a checkpoint without one."""
    dtype: torch.dtype = torch.float32
    workers: int = 1


def generate_videos(plan: Plan) -> int:
    """Generate the missing videos.

    Returns:
        number of clips.

    Raises:
        InputError: if no video has a usable clip, or the folder has videos of another plan.
    """
    _write_plan(plan)
    videos = find_videos(list(plan.videos))
    if plan.limit and plan.limit < len(videos):
        videos = [videos[i] for i in np.linspace(0, len(videos) - 1, plan.limit).round().astype(int)]
    pairs = list(zip(videos, [*videos[1:], videos[0]], strict=True))
    parts = [pairs[number :: plan.workers] for number in range(min(max(1, plan.workers), len(pairs)))]
    if len(parts) == 1:
        count = _generate_pairs(plan, pairs)
    else:
        with ProcessPoolExecutor(len(parts), mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            count = _sum_of_parts(pool.map(_generate_pairs, [plan] * len(parts), parts))
    if not count:
        raise InputError(f"videos: none of {len(videos)} has a usable face and sound; give videos of one talking face")
    return count


def _sum_of_parts(counts: Iterator[int]) -> int:
    try:
        return sum(counts)
    except BrokenProcessPool as error:
        raise InputError(
            "workers: a process died, probably out of memory; run the same command again with fewer --workers"
        ) from error


def _write_plan(plan: Plan) -> None:
    """Write plan.json, and refuse a folder with videos of another checkpoint or other settings."""
    content = asdict(plan) | {"checkpoint": file_digest(plan.checkpoint or EMOTE_MINI)[:16]}
    for name in ("out", "workers", "face_model"):
        del content[name]
    content, file = json.loads(json.dumps(content, default=str)), plan.out / "plan.json"
    if file.is_file() and json.loads(file.read_text()) != content:
        raise InputError(f"out: {plan.out} has videos of another checkpoint or other settings; give another folder")
    plan.out.mkdir(parents=True, exist_ok=True)
    write_json(file, content)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _generate_pairs(plan: Plan, pairs: list[tuple[Path, Path]]) -> int:
    """Generate from pairs of a video and the video of its control's sound; returns the number of usable ones."""
    generator = _Generator(plan)
    return sum(tqdm((generator.write_videos(*pair) for pair in pairs), total=len(pairs), desc="generate", disable=None))


class _Generator:
    """Model and face detector of one process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.detector = make_detector(plan.face_model, landmarks=True, quiet=True)
        self.maker = _maker(plan, self.detector)

    def write_videos(self, video: Path, other: Path) -> bool:
        """Write the missing videos; False if the video has no usable clip."""
        key, plan = source_key(video), self.plan
        names = ["generated", "true", *(["other"] if plan.controls and other != video else [])]
        missing = [name for name in names if not _file(plan, name, key).is_file()]
        if not missing:
            return True
        clip = self._clip(video)
        if clip is None:
            return False
        own = clip.sound()
        for name in missing:
            try:
                sound = self._sound(other, len(own)) if name == "other" else own
                frames = clip.pictures() if name == "true" else self.maker.make(clip, plan.alteration(sound))
            except NotFiniteError:  # The next videos would end so, too.
                raise
            except (InputError, av.FFmpegError, ValueError, IndexError) as error:  # For instance silence.
                tqdm.write(f"{video.name}: not {name} ({error})", file=sys.stderr)
                if name == "generated":
                    return False
                continue
            _write(_file(plan, name, key), frames, sound, self.maker.fps)
        return True

    def _clip(self, video: Path) -> Clip | None:
        """The first usable clip of a video, framed as the model sees it."""
        recipe = Recipe(fps=self.maker.fps, size=self.maker.size, rules=ANY)
        decisions = prepare_video(video, source_key(video), recipe, self.detector, self.maker.framing)
        clip, seconds = next((clip for _, clip in decisions if clip is not None), None), self.plan.seconds
        return clip if clip is None or seconds is None else _shortened(clip, seconds, self.maker.fps)

    @staticmethod
    def _sound(video: Path, samples: int) -> np.ndarray:
        """The first samples of a video's sound, repeated if it is too short."""
        source = open_source(video)
        if source.sound_start is None:
            raise InputError(f"{video.name} has no sound; give a video with sound")
        return np.resize(sound_of(source), samples)


def _maker(plan: Plan, detector: FaceDetector) -> Maker:
    if plan.checkpoint is None:
        return PortraitMaker(detector, plan.settings.seed, plan.speed)
    return EmoMaker.load(
        plan.checkpoint,
        plan.settings,
        dtype=plan.dtype,
        audio_encoder=plan.audio_encoder,
        speed=plan.speed,
        region=plan.region,
    )


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
