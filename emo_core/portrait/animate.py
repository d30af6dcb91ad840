"""A portrait and a face motion to a video."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..device import one_thread
from ..face.crop import PasteBack
from ..face.motion import FaceMotion
from ..media.sound_track import Track
from ..media.video_writer import VideoWriter
from ..memory import peak_memory_mb
from .prepare import PreparedPortrait
from .render import PortraitRenderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the video goes, and what it contains beside the frames."""

    out: Path
    sound: Path | Track | None = None
    """The sound track; None for a silent video."""
    paste_back: np.ndarray | None = None
    """(H, W, 3) uint8 the whole picture that the square is put back into; None for the square alone."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """For the video's metadata."""


@dataclass(frozen=True, slots=True)
class MotionStream:
    """A face motion whose parts are made while the first ones are drawn."""

    frames: int
    fps: float
    parts: Iterable[FaceMotion]

    @classmethod
    def whole(cls, motion: FaceMotion) -> "MotionStream":
        """A motion that is there."""
        return cls(len(motion), motion.fps, (motion,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The video, and how it was made."""

    frames: int
    fps: float
    seconds: float
    """Length of the video."""
    seconds_per_frame: float
    """Time spent drawing and writing, per frame."""
    peak_memory_mb: float
    out: str


def animate_portrait(
    portrait: PreparedPortrait,
    renderer: PortraitRenderer,
    motion: MotionStream,
    output: Output,
    *,
    progress: Callable[[int, int], None] = lambda number, frames: None,
    shown: Callable[[int, np.ndarray], None] = lambda number, frame: None,
) -> Result:
    """Draw every frame and write it.

    Args:
        portrait: that the renderer draws.
        renderer: of the portrait.
        motion: to wear.
        output: the video.
        progress: called with the frame's number from 1 and the number of frames; raise in it to cancel.
        shown: called with the same number and the written frame, (H, W, 3) uint8.

    Raises:
        InputError: if the video cannot be written.
    """
    finish, size = (lambda frame: frame), (renderer.size, renderer.size)
    if output.paste_back is not None:
        finish, size = PasteBack(portrait.crop, output.paste_back), output.paste_back.shape[1::-1]
    start, seconds = time.monotonic(), motion.frames / motion.fps
    writer = VideoWriter(
        output.out, fps=motion.fps, size=size, sound=output.sound, seconds=seconds, settings=dict(output.settings)
    )
    with one_thread(), writer:
        frames = (frame for part in motion.parts for frame in renderer.frames(part))
        for number, frame in enumerate(frames, 1):
            whole = finish(frame)
            writer.write(whole)
            shown(number, whole)
            progress(number, motion.frames)
    spent = time.monotonic() - start
    return Result(
        frames=motion.frames,
        fps=motion.fps,
        seconds=round(seconds, 3),
        seconds_per_frame=round(spent / motion.frames, 4),
        peak_memory_mb=peak_memory_mb(torch.device(renderer.device)),
        out=str(output.out),
    )
