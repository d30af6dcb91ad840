"""Several VIDEOs as one, read and written frame by frame."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from ...emo_core.errors import InputError
from ...emo_core.media.sheet import Sheet
from ...emo_core.media.video_writer import MAX_SIDE, VideoWriter
from ..host.film import Film, Part, open_film
from ..host.progress import frame_progress
from ..host.video import new_video_path

MODEL = "grid"
"""Name in the video's metadata."""


def tile(videos: Sequence[Any], names: Sequence[str] | None, columns: int) -> Path:
    """Write the grid to an mp4. A cancelled run leaves no file.

    Raises:
        InputError: if the videos differ in size or frame rate, or the grid is too large, or there are not as many names.
    """
    if names is not None and len(names) != len(videos):
        raise InputError(f"names: got {len(names)} for {len(videos)} videos; wire a list of as many, or none")
    with ExitStack() as opened:
        films = [opened.enter_context(open_film(video, None, 0.0, Part())) for video in videos]
        first = [next(film.frames) for film in films]
        sizes = [frame.shape[1::-1] for frame in first]
        _check_equal("size", [f"{width} x {height}" for width, height in sizes])
        _check_equal("frame rate", [f"{film.fps:g}" for film in films])
        sheet = Sheet(names, len(films), sizes[0], columns)
        height, width = sheet.blank.shape[:2]
        if max(width, height) > MAX_SIDE:
            raise InputError(
                f"videos: the grid is {width} x {height}; expected {MAX_SIDE} at most; give smaller videos"
            )
        return _write(films, first, sheet, (width, height))


def _write(films: Sequence[Film], first: Sequence[Any], sheet: Sheet, size: tuple[int, int]) -> Path:
    count, path = min(film.count for film in films), new_video_path("grid")
    report, fps = frame_progress(count), films[0].fps
    settings = {"model": MODEL, "videos": len(films)}
    with VideoWriter(path, fps=fps, size=size, sound=films[0].track, seconds=count / fps, settings=settings) as writer:
        rows = chain([first], zip(*(film.frames for film in films), strict=False))
        for number, pictures in enumerate(rows, 1):
            frame = sheet.filled(pictures)
            writer.write(frame)
            report(number, frame)
    return path


def _check_equal(kind: str, values: Sequence[str]) -> None:
    other = next((value for value in values if value != values[0]), None)
    if other is not None:
        raise InputError(f"videos: got one of {kind} {values[0]} and one of {other}; all must have the same {kind}")
