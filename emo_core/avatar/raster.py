"""Drawing and moving pictures without OpenCV, which hosts without MediaPipe do not have.

Shape legend: S side of a picture. Places are in pixels from the picture's corner: the middle of the first pixel is at (.5, .5).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

FINER = 4
"""Areas and lines are drawn so many times larger, and then averaged: smooth edges."""
OUTLINE, THICKER = 1.25, 0.25
"""Pixels by which areas reach over their outline, and lines over their width: as OpenCV's smooth ones do."""
FARTHEST = 1e4
"""Places beyond are drawn there."""


class Canvas:
    """One channel of a drawing."""

    def __init__(self, size: int) -> None:
        """Black, S by S."""
        self.size = size
        self._picture = Image.new("L", (size * FINER, size * FINER))
        self._pen = ImageDraw.Draw(self._picture)

    def fill(self, ring: np.ndarray, grey: int = 255) -> None:
        """An area inside an outline (P, 2)."""
        self._pen.polygon(_finer(ring), fill=grey)
        if grey:
            self._pen.line(_finer([*ring, ring[0]]), fill=grey, width=round(OUTLINE * FINER), joint="curve")

    def line(self, line: np.ndarray, width: float, *, closed: bool = False) -> None:
        """A line through points (P, 2), `width` pixels wide."""
        if closed:
            line = np.concatenate([line, line[:1]])
        self._pen.line(_finer(line), fill=255, width=round((width + THICKER) * FINER), joint="curve")

    def circle(self, middle: np.ndarray, radius: float) -> None:
        """A disc."""
        self._pen.ellipse(_finer(np.stack([middle - radius, middle + radius])), fill=255)

    def keep(self, other: Canvas) -> None:
        """Keep what is drawn on another canvas, too."""
        self._picture = ImageChops.darker(self._picture, other._picture)
        self._pen = ImageDraw.Draw(self._picture)

    def drawn(self) -> np.ndarray:
        """(S, S) uint8."""
        return np.asarray(self._picture.reduce(FINER))


def warped(picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Move a picture.

    Args:
        picture: (S, S, 3) uint8, or (S, S) float32.
        matrix: (2, 3) from places of the picture to those of the result.
        size: width w and height h of the result.

    Returns:
        (h, w, 3) uint8, whose colours are read with cubic interpolation from the picture with its border repeated; or
        (h, w) float32, linear, 0 outside the picture.
    """
    back = inverse(matrix)
    if picture.ndim == 2:
        image = Image.fromarray(picture.astype(np.float32, copy=False))
        return np.asarray(image.transform(size, Image.Transform.AFFINE, back.ravel(), Image.Resampling.BILINEAR))
    columns, rows = size
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]]) @ back[:, :2].T + back[:, 2]
    height, width = picture.shape[:2]
    low = np.maximum(0, np.ceil(2 - corners.min(0))).astype(int)
    high = np.maximum(0, np.ceil(corners.max(0) + 2 - (width, height))).astype(int)
    limit = max(height, width)  # Places farther away are never shown.
    (left, top), (right, bottom) = np.minimum(low, limit), np.minimum(high, limit)
    if left or top or right or bottom:
        picture = np.pad(picture, ((top, bottom), (left, right), (0, 0)), mode="edge")
        back = back + np.array([[0, 0, left], [0, 0, top]])
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.transform(size, Image.Transform.AFFINE, back.ravel(), Image.Resampling.BICUBIC))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The affine matrix (2, 3) that undoes another."""
    (a, b), (c, d) = matrix[:, :2]
    turn = np.array([[d, -b], [-c, a]]) / (a * d - b * c)  # LAPACK takes a hundred times as long for four numbers.
    return np.concatenate([turn, -turn @ matrix[:, 2:]], axis=1)


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A picture (S, S, 3) uint8 with a Gaussian of so many pixels."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(sigma)))


def _finer(points: np.ndarray) -> list[tuple[float, float]]:
    # PIL counts from the middle of a pixel.
    places = np.clip(np.asarray(points, np.float64)[:, :2], -FARTHEST, FARTHEST) * FINER - 0.5
    return [(float(x), float(y)) for x, y in places]
