"""Heads that move more than those that were filmed: they tilt and nod as the mouth opens, so that head speed has something to say.

GRID's speakers sit still. Of a swayed variant the head leans in time with the slow part of its own mouth's opening, which the
sound tells, by an angle that differs from variant to variant: at a given sound, the speed alone says how far.

Shape legend: F frames, S picture side.
"""

import math

import numpy as np
import torch
from torch import Tensor

from emo_core.dataset.labels import Labels

SLOW = 4.0
"""Frames: standard deviation of the Gaussian that leaves of the opening what a head can follow."""
OPEN = 0.055
"""Slow opening at which the head leans as far as its variant goes: a median clip's widest."""
NOD = 0.35
"""Face heights that the head sinks per radian."""
NECK = 0.5
"""Face heights below the chin where nothing moves any more."""
BESIDE = (0.75, 1.6)
"""Face widths from the middle to where the head ends, and to where nothing moves any more."""


def lean(opening: np.ndarray, degrees: float) -> np.ndarray:
    """Mouth opening (F,) to angles (F,) in radians, 0 with closed lips."""
    reach = math.ceil(3 * SLOW)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SLOW) ** 2)
    slow = np.convolve(np.pad(opening, reach, mode="edge"), kernel / kernel.sum(), "valid")
    return math.radians(degrees) * np.minimum(slow / OPEN, 1.5)


def swayed(grid: Tensor, angles: Tensor, face: Tensor) -> Tensor:
    """Lean the head in every frame.

    Args:
        grid: (S, S, 2) where each pixel comes from, x and y in -1 .. 1.
        angles: (F,) radians, clockwise.
        face: (4,) box in the filmed picture, shares of the side.

    Returns:
        (F, S, S, 2)
    """
    left, top, right, bottom = (face * 2 - 1).unbind()
    width, height = right - left, bottom - top
    x, y = grid[..., 0] - (left + right) / 2, grid[..., 1] - bottom  # Around the chin.
    near, far = (width * share for share in BESIDE)
    # From the level of the lips down to the neck the head passes into a body that stays, beside it into the wall.
    share = smooth(1 - (y / height + 0.1) / (NECK + 0.1)) * smooth((far - x.abs()) / (far - near))
    moved = torch.stack([y, -x - NOD * height], -1) * share[..., None]
    return grid + angles[:, None, None, None] * moved


def smooth(share: Tensor) -> Tensor:
    """0 to 1 without corners."""
    share = share.clamp(0, 1)
    return share.square() * (3 - 2 * share)


def turned(labels: Labels, angles: np.ndarray) -> np.ndarray:
    """Head poses (F, 4, 4) of the leaning head."""
    zero, one = np.zeros_like(angles), np.ones_like(angles)
    sine, cosine = np.sin(angles), np.cos(angles)
    rows = [[cosine, -sine, zero, zero], [sine, cosine, zero, zero], [zero, zero, one, zero], [zero, zero, zero, one]]
    return np.array(rows).transpose(2, 0, 1) @ labels.poses
