"""Motions of faces as one video: a single face, or several side by side with their names under them.

Shape legend: F frames, S side of a face in pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..device import one_thread
from ..face.motion import FaceMotion
from ..media.sheet import Sheet
from ..media.video_writer import VideoWriter
from .frame_bar import Progress

Draw = Callable[[FaceMotion], Iterator[np.ndarray]]
"""Draws each frame of a motion as (S, S, 3) uint8."""


def write_faces(
    path: Path,
    motions: Mapping[str, FaceMotion],
    draw: Draw,
    *,
    size: int,
    named: bool,
    sound: Path,
    settings: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Write a video, whole or not at all.

    Args:
        path: the .mp4.
        motions: of equal length and frame rate, by the name of their emotion.
        draw: how a face looks.
        size: S.
        named: whether names are written.
        sound: a file whose sound is added.
        settings: for the video's metadata.
        progress: gets each frame's number.

    Raises:
        InputError: if the video cannot be written.
    """
    first = next(iter(motions.values()))
    sheet = Sheet(list(motions) if named else None, len(motions), (size, size))
    height, width = sheet.blank.shape[:2]
    with (
        one_thread(),
        VideoWriter(
            path, fps=first.fps, size=(width, height), sound=sound, seconds=first.seconds, settings=dict(settings)
        ) as writer,
    ):
        for number, faces in enumerate(zip(*map(draw, motions.values()), strict=True), 1):
            writer.write(sheet.filled(faces))
            progress(number, len(first))
