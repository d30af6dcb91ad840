"""Fill the triangles of a lit surface into a picture, on one CPU core.

Shape legend: V vertices, T triangles, P filled pixels before the nearest is chosen.
"""

from dataclasses import dataclass

import numpy as np

ROUNDS = 8
"""Repeats of the search for the nearest triangle, at most. Drawn from back to front, two or three are enough."""
SMALL = 1e-6


@dataclass(frozen=True, slots=True)
class Raster:
    """The visible triangle of each pixel."""

    pixels: np.ndarray
    """(N,) places of filled pixels in the flattened picture."""
    triangles: np.ndarray
    """(N,) the nearest triangle there."""
    values: np.ndarray
    """(N,) float32 value there, linear between the corners of the triangle."""


def rasterise(places: np.ndarray, depth: np.ndarray, values: np.ndarray, triangles: np.ndarray, side: int) -> Raster:
    """Find the nearest triangle of every pixel.

    Args:
        places: (V, 2) of the vertices, in pixels from the upper left corner, x first.
        depth: (V,) towards the camera.
        values: (V,) to interpolate, such as brightness.
        triangles: (T, 3) vertices.
        side: of the square picture, in pixels.
    """
    order = np.argsort(depth[triangles].sum(1))  # The nearest last: it overwrites the others.
    triangles = triangles[order]
    corners = places[triangles]
    shares = _planes(corners)
    numbers, pixels, x, y = _covered(corners, side)
    winner = _nearest(pixels, _on_planes(shares, depth[triangles], numbers, x, y), side * side)
    numbers, x, y = numbers[winner], x[winner], y[winner]
    return Raster(pixels[winner], order[numbers], _on_planes(shares, values[triangles], numbers, x, y))


def _planes(corners: np.ndarray) -> np.ndarray:
    """(T, 3 corners, 2) to (T, 3, 3): the share of each corner as a x + b y + c."""
    (x0, y0), (x1, y1), (x2, y2) = corners.transpose(1, 2, 0)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    scale = 1 / np.where(np.abs(area) < SMALL, np.inf, area)
    rows = [
        (y1 - y2, x2 - x1, x1 * y2 - x2 * y1),
        (y2 - y0, x0 - x2, x2 * y0 - x0 * y2),
        (y0 - y1, x1 - x0, x0 * y1 - x1 * y0),
    ]
    return np.array([[part * scale for part in row] for row in rows]).transpose(2, 0, 1)


def _on_planes(shares: np.ndarray, values: np.ndarray, numbers: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at the corners (T, 3) to those at places x, y (P,) in the triangles `numbers`, float32."""
    a, b, c = np.einsum("tci,tc->it", shares, values).astype(np.float32)
    return a[numbers] * x + b[numbers] * y + c[numbers]


def _covered(corners: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Triangle, pixel, x and y (centres) of every pixel whose centre lies in a triangle: (P,) each.

    Row by row: a triangle covers one run of pixels in each row, between two of its edges.
    """
    top, bottom = corners[..., 1].min(1), corners[..., 1].max(1)
    first = np.clip(np.ceil(top - 0.5), 0, side).astype(np.int64)
    count = np.maximum(np.clip(np.ceil(bottom - 0.5), 0, side).astype(np.int64) - first, 0)
    numbers, rows = _runs(first, count)
    middle = rows + 0.5
    left, right = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    for one, other in ((0, 1), (1, 2), (2, 0)):
        (x0, y0), (x1, y1) = corners[:, one].T, corners[:, other].T
        slope = (x1 - x0) / np.where(np.abs(y1 - y0) < SMALL, np.inf, y1 - y0)
        low, high = np.minimum(y0, y1)[numbers], np.maximum(y0, y1)[numbers]
        at = x0[numbers] + (middle - y0[numbers]) * slope[numbers]
        crosses = (middle >= low) & (middle < high)
        left = np.where(crosses, np.minimum(left, at), left)
        right = np.where(crosses, np.maximum(right, at), right)
    start = np.clip(np.ceil(left - 0.5), 0, side)
    width = np.maximum(np.clip(np.ceil(right - 0.5), 0, side) - start, 0).astype(np.int64)
    lines, columns = _runs(np.where(width > 0, start, 0).astype(np.int64), width)
    rows = rows[lines]
    x, y = columns.astype(np.float32) + 0.5, rows.astype(np.float32) + 0.5
    return numbers[lines], rows * side + columns, x, y


def _runs(first: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the run, and whole numbers first .. first + count - 1, of all runs one after another."""
    run = np.repeat(np.arange(len(count)), count)
    begins = np.cumsum(count) - count
    return run, np.arange(len(run)) + (first - begins)[run]


def _nearest(pixels: np.ndarray, z: np.ndarray, total: int) -> np.ndarray:
    """(N,) which of the P is nearest at each filled pixel."""
    holder = np.full(total, -1, np.int64)
    holder[pixels] = np.arange(len(pixels))  # Of several, the last stays.
    rivals = np.flatnonzero(z > z[holder[pixels]])
    for _ in range(ROUNDS):
        if not len(rivals):
            break
        holder[pixels[rivals]] = rivals
        rivals = rivals[z[rivals] > z[holder[pixels[rivals]]]]
    return holder[holder >= 0]
