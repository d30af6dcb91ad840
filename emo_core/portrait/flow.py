"""Backward flow of a moving mesh: for every pixel of a frame, its place in the still.

Shape legend: T triangles, V vertices, S side of the picture.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

COARSE = 2
"""The flow is computed at every second pixel along each side. Between them it is interpolated, which also smooths its creases."""


STEEPEST = 3.0
"""Pixels of the still over pixels of the frame, at most: a triangle that shrinks more is drawn thin."""


def backward_flow(
    source: np.ndarray, target: np.ndarray, triangles: np.ndarray, size: int, device: torch.device
) -> Tensor:
    """Piecewise affine flow of one frame.

    Args:
        source: (V, 2) vertices in the still, in pixels.
        target: (V, 2) vertices in the frame.
        triangles: (T, 3) in the order of drawing: the last one covers the others.
        size: side of the square picture in pixels; even.
        device: of the result.

    Returns:
        (S, S, 2) x and y in the still, in pixels; pixels outside all triangles stay where they are.
    """
    coarse = size // COARSE
    index = Image.new("I", (coarse, coarse), 0)
    draw = ImageDraw.Draw(index)
    for number, corners in enumerate((target[triangles] / COARSE).reshape(-1, 6).tolist(), 1):
        draw.polygon(corners, fill=number)
    places = torch.from_numpy(np.array(index)).to(device)
    shifts = _affine(target[triangles], source[triangles]) - [[1, 0, 0], [0, 1, 0]]
    table = torch.from_numpy(np.concatenate([np.zeros((1, 2, 3)), shifts]).astype(np.float32).reshape(-1, 6)).to(device)
    a, b, c, d, e, f = table.index_select(0, places.flatten()).T.unflatten(1, (coarse, coarse))
    middle = (torch.arange(coarse, device=device, dtype=torch.float32) + 0.5) * COARSE
    x, y = middle[None], middle[:, None]
    shift = torch.stack([a * x + b * y + c, d * x + e * y + f])
    shift = functional.interpolate(shift[None], (size, size), mode="bilinear", align_corners=False)[0]
    pixels = torch.arange(size, device=device, dtype=torch.float32) + 0.5
    return torch.stack([shift[0] + pixels[None], shift[1] + pixels[:, None]], dim=-1)


def _affine(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(T, 2, 3) maps from triangles (T, 3, 2) to others.

    A triangle that is drawn thin covers pixels beside it, which its own map would send far away. It is shifted instead.
    """
    edges, others = start[:, 1:] - start[:, :1], end[:, 1:] - end[:, :1]
    size = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    safe = np.where(np.abs(size) < 1e-4, 1e-4, size)
    inverse = np.stack([edges[:, 1, 1], -edges[:, 0, 1], -edges[:, 1, 0], edges[:, 0, 0]], axis=-1).reshape(-1, 2, 2)
    linear = (inverse / safe[:, None, None]) @ others
    linear = np.where(np.abs(linear).max((1, 2), keepdims=True) > STEEPEST, np.eye(2), linear.transpose(0, 2, 1))
    return np.concatenate([linear, end.mean(1)[..., None] - linear @ start.mean(1)[..., None]], axis=2)
