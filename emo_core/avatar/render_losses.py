"""Losses of the mouth's network.

Shape legend: B pictures, T frames of a group, P side of the patch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..face.mesh_points import INNER_LIPS_LOWER, INNER_LIPS_UPPER, OUTER_LIPS_LOWER, OUTER_LIPS_UPPER
from .inputs import steps
from .raster import Canvas

MOUTH, INNER = 4.0, 3.0
"""Weight of a pixel of the mouth over one of the skin, and what the inner mouth has beyond."""
GROWN = 1.15
"""Size of the weighted mouth over the lips."""
SOFT = 0.02
"""Standard deviation of its edge, as a share of the patch's side."""
GRADIENT, TEXTURE, CHANGE = 1.0, 2.0, 0.5
"""Weights of differences of neighbouring pixels, of their mean size around a place, and of differences of frames."""
AROUND = 5
"""Pixels across and down over which texture is averaged."""
CHANGE_MOUTH = 4.0
"""Weight of the mouth in the latter."""


def mouth_weights(points: np.ndarray, size: int) -> np.ndarray:
    """How much each pixel counts: (B, 478, 2) points in pixels of the patch to (B, P, P) float32, 0 on skin to 1 on lips."""
    from scipy.ndimage import gaussian_filter  # A third of a second to import.

    outer = [*OUTER_LIPS_UPPER, *OUTER_LIPS_LOWER[-2:0:-1]]
    inner = [*INNER_LIPS_UPPER, *INNER_LIPS_LOWER[-2:0:-1]]
    weights = np.zeros((len(points), size, size), np.float32)
    for weight, face in zip(weights, points, strict=True):
        canvas, lips = Canvas(size), face[outer]
        canvas.fill((lips - lips.mean(0)) * GROWN + lips.mean(0), round(255 * MOUTH / (MOUTH + INNER)))
        canvas.fill(face[inner])
        weight[:] = gaussian_filter(canvas.drawn().astype(np.float32) / 255, SOFT * size, truncate=3.0)
    return weights


def picture_loss(drawn: Tensor, target: Tensor, mouth: Tensor) -> Tensor:
    """Absolute differences of pixels, of their gradients, and of how rough a place is.

    The last does not ask where a tooth's edge lies: absolute differences alone make grey of what is uncertain.

    Args:
        drawn: (B, 3, P, P).
        target: (B, 3, P, P).
        mouth: (B, 1, P, P) 0 .. 1.
    """
    weight = 1 + (MOUTH + INNER - 1) * mouth
    weight = weight / weight.mean()
    loss = (weight * (drawn - target).abs()).mean()
    for one, two in zip(steps(drawn), steps(target), strict=True):
        loss = loss + GRADIENT * (weight * (one - two).abs()).mean()
        rough = [functional.avg_pool2d(part.abs(), AROUND, 1, AROUND // 2) for part in (one, two)]
        loss = loss + TEXTURE * (weight * (rough[0] - rough[1]).abs()).mean()
    return loss


def change_loss(drawn: Tensor, target: Tensor, mouth: Tensor, group: int) -> Tensor:
    """Absolute differences of the changes from frame to frame.

    Args:
        drawn: (B, 3, P, P), groups of T successive frames.
        target: (B, 3, P, P).
        mouth: (B, 1, P, P) 0 .. 1.
        group: T; 1 has no changes.
    """
    if group == 1:
        return drawn.new_zeros(())
    error, mouth = ((part.unflatten(0, (-1, group))) for part in (drawn - target, mouth))
    weight = 1 + (CHANGE_MOUTH - 1) * torch.maximum(mouth[:, 1:], mouth[:, :-1])
    return CHANGE * (weight / weight.mean() * (error[:, 1:] - error[:, :-1]).abs()).mean()
