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


REACH = 1.0
"""Pixels of the still outside a triangle that it may show."""


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
    table = torch.from_numpy(_maps(source, target, triangles)).to(device)
    a, b, c, d, e, f, *limits = table.index_select(0, places.flatten()).T.unflatten(1, (coarse, coarse))
    left, top, right, bottom = limits
    middle = (torch.arange(coarse, device=device, dtype=torch.float32) + 0.5) * COARSE
    x, y = middle[None], middle[:, None]
    across, down = (a * x + b * y + c).clamp(left, right), (d * x + e * y + f).clamp(top, bottom)
    shift = torch.stack([across - x, down - y])
    shift = functional.interpolate(shift[None], (size, size), mode="bilinear", align_corners=False)[0]
    pixels = torch.arange(size, device=device, dtype=torch.float32) + 0.5
    return torch.stack([shift[0] + pixels[None], shift[1] + pixels[:, None]], dim=-1)


def _maps(source: np.ndarray, target: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(1 + T, 10) float32 affine map of each triangle, and the box that its pixels may read; first that of pixels outside all.

    A thin triangle is drawn wider than it is, and its map sends the pixels beside it far away. The box stops them.
    """
    maps, corners = _affine(target[triangles], source[triangles]), source[triangles]
    boxes = np.concatenate([corners.min(1) - REACH, corners.max(1) + REACH], axis=1)
    rows = np.concatenate([maps.reshape(-1, 6), boxes], axis=1)
    stay = [[1, 0, 0, 0, 1, 0, -np.inf, -np.inf, np.inf, np.inf]]
    return np.concatenate([stay, rows]).astype(np.float32)


def _affine(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(T, 2, 3) maps from triangles (T, 3, 2) to others. A triangle without area is sent to its first corner."""
    edges, others = start[:, 1:] - start[:, :1], end[:, 1:] - end[:, :1]
    size = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    safe = np.where(np.abs(size) < 1e-4, np.inf, size)
    inverse = np.stack([edges[:, 1, 1], -edges[:, 0, 1], -edges[:, 1, 0], edges[:, 0, 0]], axis=-1).reshape(-1, 2, 2)
    linear = (inverse / safe[:, None, None]) @ others
    linear = linear.transpose(0, 2, 1)
    return np.concatenate([linear, end[:, 0, :, None] - linear @ start[:, 0, :, None]], axis=2)
