"""Motions of faces as one video: a single face, or several side by side with their names under them.

Shape legend: F frames, S side of a face in pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..device import one_thread
from ..face.motion import FaceMotion
from ..media.video_writer import VideoWriter
from .frame_bar import Progress

COLUMNS = 4
STRIP = 8
"""Sides of a face over the height of the strip for its name."""
PAPER, INK = (24, 26, 32), (236, 226, 208)
"""RGB."""

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
    sheet = Sheet(list(motions) if named else None, len(motions), size)
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


class Sheet:
    """A grid of faces."""

    def __init__(self, names: list[str] | None, count: int, size: int) -> None:
        """Lay out so many faces of a size; `names` are written under them."""
        self._size, self._columns = size, min(count, COLUMNS)
        self._row = size + (size // STRIP if names else 0)
        rows = -(-count // self._columns)
        picture = Image.new("RGB", (self._columns * size, rows * self._row), PAPER)
        pen = ImageDraw.Draw(picture)
        for number, name in enumerate(names or ()):
            top, left = self._place(number)
            middle = left + size / 2, top + size + size / STRIP / 2
            pen.text(middle, name, fill=INK, font=_fitting(name, size), anchor="mm")
        self.blank = np.asarray(picture)
        """The sheet without faces, (H, W, 3) uint8."""

    def filled(self, faces: tuple[np.ndarray, ...]) -> np.ndarray:
        """The sheet with faces (S, S, 3)."""
        sheet = self.blank.copy()
        for number, face in enumerate(faces):
            top, left = self._place(number)
            sheet[top : top + self._size, left : left + self._size] = face
        return sheet

    def _place(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, self._columns)
        return row * self._row, column * self._size


def _fitting(name: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest font in which a name fits under its face."""
    points = 0.7 * width / STRIP
    font = ImageFont.load_default(points)
    return ImageFont.load_default(points * min(1.0, 0.94 * width / max(1.0, font.getlength(name))))
