"""Drawings of a face for networks and for people: areas of lips, mouth and eyes, lines of jaw, nose and brows.

A line alone does not say which side of it is lip and which is skin, so lips, mouth, lids and iris are filled.
Places count from the picture's upper left corner, so the middle of the first pixel lies at .5.

Shape legend: F frames, C channels, S side of the drawing in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..face import mesh_points as mesh
from .raster import Canvas

AREAS = ("lips", "mouth", "lids", "iris")
"""Filled: both lips, the inner mouth, the open eyes, the part of the iris between the lids."""
LINES = ("jaw", "nose", "brows", "seam")
"""Drawn as lines; the seam is the edge of the inner lips, which closed lips show as well."""
CHANNELS = (*AREAS, *LINES)
MOUTH_CHANNELS = ("lips", "mouth", "jaw", "seam")
"""What a mouth is drawn from."""
JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
NOSE = ((168, 6, 197, 195, 5, 4), (129, 98, 97, 2, 326, 327, 358))
"""Bridge and base."""
APART = 0.5
"""Pixels between the inner lips from which the mouth is drawn as open."""
WIDTH = 100
"""Side of a drawing over the width of its lines, at least one pixel."""
COLOURS = {
    "lips": (196, 72, 84),
    "mouth": (60, 16, 24),
    "lids": (226, 226, 216),
    "iris": (70, 110, 160),
    "jaw": (236, 226, 208),
    "nose": (150, 160, 180),
    "brows": (170, 140, 100),
    "seam": (90, 24, 36),
}
"""For people to look at."""


def draw_edges(points: np.ndarray, size: int, *, channels: Sequence[str] = CHANNELS) -> np.ndarray:
    """Draw faces, one channel for each part.

    Args:
        points: (F, 478, 2 or 3) pixels of the drawing, not rounded.
        size: S.
        channels: names of `CHANNELS`.

    Returns:
        (F, C, S, S) uint8, 255 where a part is.
    """
    width = max(1, round(size / WIDTH))
    places = np.asarray(points, np.float64)[..., :2]
    drawn = np.zeros((len(places), len(channels), size, size), np.uint8)
    for frame, face in enumerate(places):
        for channel, name in enumerate(channels):
            canvas = Canvas(size)
            _DRAW[name](canvas, face, width)
            drawn[frame, channel] = canvas.drawn()
    return drawn


def edges_picture(points: np.ndarray, size: int) -> np.ndarray:
    """The same as coloured pictures for people to look at: (F, S, S, 3) uint8."""
    layers = draw_edges(points, size)
    picture = np.full((len(layers), size, size, 3), (24, 26, 32), np.float32)
    for channel, name in enumerate(CHANNELS):
        cover = layers[:, channel, ..., None] / np.float32(255)
        picture += cover * (np.array(COLOURS[name], np.float32) - picture)
    return picture.round().astype(np.uint8)


def _ring(face: np.ndarray, upper: Sequence[int], lower: Sequence[int]) -> np.ndarray:
    """A closed outline: along the upper points and back along the lower ones."""
    return face[[*upper, *lower[-2:0:-1]]]


def _lips(canvas: Canvas, face: np.ndarray, width: int) -> None:
    canvas.fill(_ring(face, mesh.OUTER_LIPS_UPPER, mesh.OUTER_LIPS_LOWER))
    if _open(face):
        canvas.fill(_ring(face, mesh.INNER_LIPS_UPPER, mesh.INNER_LIPS_LOWER), 0)


def _mouth(canvas: Canvas, face: np.ndarray, width: int) -> None:
    if _open(face):
        canvas.fill(_ring(face, mesh.INNER_LIPS_UPPER, mesh.INNER_LIPS_LOWER))


def _open(face: np.ndarray) -> bool:
    """Whether the inner lips are apart: an area without height has an edge, too."""
    upper, lower = face[list(mesh.INNER_LIPS_UPPER)], face[list(mesh.INNER_LIPS_LOWER)]
    return bool((lower[1:-1, 1] - upper[1:-1, 1]).max() > APART)


def _lids(canvas: Canvas, face: np.ndarray, width: int) -> None:
    for upper, lower, _ in mesh.EYES:
        canvas.fill(_ring(face, upper, lower))


def _iris(canvas: Canvas, face: np.ndarray, width: int) -> None:
    for *_, iris in mesh.EYES:
        canvas.circle(face[iris[0]], float(np.linalg.norm(face[list(iris[1:])] - face[iris[0]], axis=1).mean()))
    eyes = Canvas(canvas.size)
    _lids(eyes, face, width)
    canvas.keep(eyes)


def _jaw(canvas: Canvas, face: np.ndarray, width: int) -> None:
    canvas.line(face[list(JAW)], width)


def _nose(canvas: Canvas, face: np.ndarray, width: int) -> None:
    for line in NOSE:
        canvas.line(face[list(line)], width)


def _brows(canvas: Canvas, face: np.ndarray, width: int) -> None:
    for brow in (mesh.RIGHT_BROW, mesh.LEFT_BROW):
        half = len(brow) // 2
        for line in (brow[:half], brow[half:]):
            canvas.line(face[list(line)], width)


def _seam(canvas: Canvas, face: np.ndarray, width: int) -> None:
    canvas.line(_ring(face, mesh.INNER_LIPS_UPPER, mesh.INNER_LIPS_LOWER), width, closed=True)


_DRAW = {
    "lips": _lips,
    "mouth": _mouth,
    "lids": _lids,
    "iris": _iris,
    "jaw": _jaw,
    "nose": _nose,
    "brows": _brows,
    "seam": _seam,
}
