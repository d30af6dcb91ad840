"""Augment head motion: heads tilt and nod as the mouth opens, so that the dataset has a range of head speeds.

GRID's speakers sit still. In a swayed variant the head leans with the slow part of the mouth's opening, which the sound predicts, by
an angle that differs between variants: for the same sound, the speed condition alone determines the angle.

Shape legend: F frames, S picture side.
"""

import math

import numpy as np
import torch
from torch import Tensor

from emo_core.dataset.labels import Labels

SLOW = 4.0
"""Standard deviation in frames of the Gaussian that smooths the opening to the speed of a head."""
OPEN = 0.055
"""Smoothed opening at which the head has its variant's angle: a median clip's largest."""
NOD = 0.35
"""Face heights that the head sinks per radian."""
NECK = 0.5
"""Face heights below the chin from which on nothing moves."""
BESIDE = (0.75, 1.6)
"""Face widths from the middle to the end of the head, and from which on nothing moves."""


def lean(opening: np.ndarray, degrees: float) -> np.ndarray:
    """Mouth opening (F,) to angles (F,) in radians, 0 with closed lips."""
    reach = math.ceil(3 * SLOW)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SLOW) ** 2)
    slow = np.convolve(np.pad(opening, reach, mode="edge"), kernel / kernel.sum(), "valid")
    return math.radians(degrees) * np.minimum(slow / OPEN, 1.5)


def swayed(grid: Tensor, angles: Tensor, face: Tensor) -> Tensor:
    """Lean the head in every frame.

    Args:
        grid: (S, S, 2) source of each pixel, x and y in -1 .. 1.
        angles: (F,) radians, clockwise.
        face: (4,) box in the filmed picture, shares of the side.

    Returns:
        (F, S, S, 2)
    """
    left, top, right, bottom = (face * 2 - 1).unbind()
    width, height = right - left, bottom - top
    x, y = grid[..., 0] - (left + right) / 2, grid[..., 1] - bottom  # Around the chin.
    near, far = (width * share for share in BESIDE)
    # The motion fades from the lips down to the neck and, beside the head, towards the wall.
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
