"""Real mouths of a person to draw new ones from: a gallery of patches, and the path through it that a film of lips takes.

Landmarks say nothing about teeth and tongue; a real mouth of the same shape does. Taking the nearest one for every frame alone
would jump between pictures, so a switch has a price, and the cheapest path is taken (Viterbi 1967).

Shape legend: F frames, N candidates, G patches of the gallery, P side of the patch, L lip points, K coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..face import mesh_points as mesh
from .pictures import Pictures

LIP_POINTS = (
    *mesh.OUTER_LIPS_UPPER,
    *mesh.OUTER_LIPS_LOWER[1:-1],
    *mesh.INNER_LIPS_UPPER,
    *mesh.INNER_LIPS_LOWER[1:-1],
)
"""Of which the shape of a mouth is compared."""
LARGEST = 700
"""Patches of a gallery."""
WIDEST = 0.1
"""Share of a gallery that the widest openings have for certain."""
SWITCH = 0.8
"""Price of a switch to another patch: pixels of lip distance in a patch of 128."""
SIDE = 128
"""Side of the patch that distances are counted in."""
TURN, LIGHT = 0.1, 0.03
"""Pixels that a degree of the head's rotation and a level of the skin's colour count as."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """G real mouths of one person."""

    patches: Pictures
    """G patches of side P."""
    points: np.ndarray
    """(G, 478, 2) float32 landmarks in pixels of the patches."""
    looks: np.ndarray
    """(G, 6) float32 rotation of the head in degrees, and `warping.skin_colour`."""
    size: int
    """P."""

    def __post_init__(self) -> None:
        """Raise InputError if the parts do not fit each other."""
        count = len(self.patches)
        shapes = self.points.shape, self.looks.shape
        if not count or shapes != ((count, 478, 2), (count, 6)):
            raise InputError(f"gallery: {count} patches do not fit {shapes}; the file is broken, make it again")
        if not np.isfinite(self.points).all() or not np.isfinite(self.looks).all():
            raise InputError("gallery: some numbers are not finite; the file is broken, make it again")

    def __len__(self) -> int:
        """G."""
        return len(self.patches)

    @property
    def lips(self) -> np.ndarray:
        """(G, L, 2) lip points in a patch of side `SIDE`."""
        return lip_shapes(self.points, self.size)

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file."""
        data, ends = self.patches.arrays()
        return {
            "patches": data,
            "ends": ends,
            "points": self.points.astype(np.float32),
            "looks": self.looks.astype(np.float32),
            "size": np.array([self.size], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Gallery:
        """The gallery of `arrays`.

        Raises:
            InputError: if it is none.
        """
        try:
            size = int(np.asarray(arrays["size"]).reshape(-1)[0])
            pictures = Pictures.from_arrays(arrays["patches"], arrays["ends"])
            points, looks = (np.asarray(arrays[name], np.float32) for name in ("points", "looks"))
            gallery = cls(pictures, points, looks, size)
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(f"gallery: {error} is missing; the file is broken, make it again") from error
        if gallery.patches[0].shape[0] != size:
            raise InputError(f"gallery: its patches are not {size} pixels wide; the file is broken, make it again")
        return gallery


def lip_shapes(points: np.ndarray, size: int) -> np.ndarray:
    """(F, 478, 2 or 3) pixels of a patch of side `size` to (F, L, 2) lip points in one of side `SIDE`."""
    return np.asarray(points[:, LIP_POINTS, :2], np.float32) * np.float32(SIDE / size)


def lip_distances(lips: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(F, L, 2) and (G, L, 2) to (F, G): root of the mean squared distance of the points, in their pixels."""
    middle = others.mean(0, dtype=np.float64).astype(
        np.float32
    )  # Small numbers, so that differences of squares are exact.
    one, two = (lips - middle).reshape(len(lips), -1), (others - middle).reshape(len(others), -1)
    squares = np.square(one).sum(1)[:, None] + np.square(two).sum(1)[None] - 2 * one @ two.T
    return np.sqrt(np.maximum(squares, 0) / lips.shape[1])


def look_distances(looks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(F, 6) and (G, 6) of `Gallery.looks` to (F, G), in pixels as lip distances: a mouth in another pose or light fits less."""
    difference = looks[:, None] - others[None]
    return TURN * np.linalg.norm(difference[..., :3], axis=-1) + LIGHT * np.linalg.norm(difference[..., 3:], axis=-1)


def choose_mouths(lips: np.ndarray, count: int = LARGEST) -> np.ndarray:
    """Choose mouths of all shapes: each next one is the farthest from all before (Gonzalez 1985).

    Args:
        lips: (N, L, 2) of the candidates.
        count: largest number.

    Returns:
        (G,) numbers of candidates in rising order, the widest openings among them.
    """
    count = min(count, len(lips))
    flat = lips.reshape(len(lips), -1).astype(np.float32)
    order = np.argsort(-opening(lips), kind="stable")
    chosen = list(order[: max(1, round(WIDEST * count))])
    nearest = lip_distances(lips, lips[chosen]).min(1)
    while len(chosen) < count:
        following = int(nearest.argmax())
        if nearest[following] <= 0:
            break  # All that are left are doubles.
        chosen.append(following)
        step = np.sqrt(np.square(flat - flat[following]).sum(1) / lips.shape[1])
        nearest = np.minimum(nearest, step)
    return np.sort(np.array(chosen))


def opening(lips: np.ndarray) -> np.ndarray:
    """(F, L, 2) to (F,) distance of the inner lips' middles."""
    upper, lower = (LIP_POINTS.index(point) for point in (13, 14))
    return np.linalg.norm(lips[:, upper] - lips[:, lower], axis=1)


def best_path(costs: np.ndarray, switch: float = SWITCH, *, before: int | None = None) -> np.ndarray:
    """The cheapest path: each frame's cost, and a price for every switch.

    Args:
        costs: (F, G) of each patch in each frame; inf where it may not be taken.
        switch: the price.
        before: patch of the frame before the first; None at the start.

    Returns:
        (F,) numbers of patches.
    """
    frames, count = costs.shape
    kept = np.zeros((frames, count), bool)
    jump = np.zeros(frames, np.int64)
    total = np.array(costs[0], np.float64)
    if before is not None:
        total += switch * (np.arange(count) != before)
    for frame in range(1, frames):
        jump[frame] = total.argmin()
        stay, go = total, total[jump[frame]] + switch
        kept[frame] = stay <= go
        total = np.minimum(stay, go) + costs[frame]
    path = np.empty(frames, np.int64)
    path[-1] = total.argmin()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] if kept[frame, path[frame]] else jump[frame]
    return path
