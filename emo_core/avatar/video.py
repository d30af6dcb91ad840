"""Write an avatar's performance as a video, or as pictures with transparency."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from ..errors import InputError
from ..files import atomic_path, writable_folder
from ..media.sound_track import Track as SoundTrack
from ..media.video_writer import VideoWriter, check_output, generated_mark
from ..memory import peak_memory_mb
from .background import TRANSPARENT, Background
from .speak import Performance
from .takes import FPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A finished video, and how it was made."""

    frames: int
    fps: float
    seconds: float
    frames_per_second: float
    """Drawn and written per second of work."""
    peak_memory_mb: float
    out: str


def check_place(out: Path, background: Background) -> None:
    """Test the output before any work.

    Raises:
        InputError: if nothing can be written there, or it cannot hold transparency.
    """
    if background.kind != TRANSPARENT:
        check_output(out)
    elif out.suffix:
        raise InputError(f"out: got {out}; an mp4 has no transparency; give a folder for PNG pictures")
    else:
        writable_folder(out, "out")


@contextmanager
def edges_file(path: Path | None, size: int) -> Iterator[Callable[[np.ndarray], None] | None]:
    """A function that writes blocks of drawings (F, S, S, 3) to an mp4 while the block runs; None if there is no path.

    Raises:
        InputError: if it cannot be written.
    """
    if path is None:
        yield None
        return
    with VideoWriter(path, fps=FPS, size=(size, size), settings={"model": "avatar edges"}) as writer:

        def write(block: np.ndarray) -> None:
            for frame in block:
                writer.write(frame)

        yield write


def write_performance(
    performance: Performance,
    out: Path,
    *,
    size: int,
    sound: Path | SoundTrack | None,
    settings: Mapping[str, Any],
    background: Background,
) -> Spoken:
    """Write all frames.

    Args:
        performance: see `speak.speak_sound`.
        out: the .mp4; a folder for PNG pictures if the background is transparent.
        size: side of the frames.
        sound: of the video; None for silence.
        settings: for its metadata, beside the mark that it is AI-generated.
        background: of the performance.

    Raises:
        InputError: if it cannot be written.
    """
    start = time.monotonic()
    if background.kind == TRANSPARENT:
        _write_pictures(performance, out, settings)
    else:
        seconds = performance.frames / FPS
        with VideoWriter(
            out, fps=FPS, size=(size, size), sound=sound, seconds=seconds, settings=dict(settings)
        ) as writer:
            for block in performance.blocks:
                for frame in block:
                    writer.write(frame)
    return Spoken(
        frames=performance.frames,
        fps=FPS,
        seconds=round(performance.frames / FPS, 3),
        frames_per_second=round(performance.frames / (time.monotonic() - start), 2),
        peak_memory_mb=peak_memory_mb(torch.device("cpu")),
        out=str(out),
    )


def _write_pictures(performance: Performance, folder: Path, settings: Mapping[str, Any]) -> None:
    mark = PngImagePlugin.PngInfo()
    mark.add_text("comment", generated_mark(settings))
    number = 0
    for block in performance.blocks:
        for frame in block:
            path = folder / f"{number:06d}.png"
            with atomic_path(path) as temporary:
                Image.fromarray(np.ascontiguousarray(frame)).save(temporary, "PNG", pnginfo=mark)
            number += 1
