"""Backward flow of a moving mesh: for every pixel of a frame, its place in the still.

Shape legend: T triangles, V vertices, S side of the picture.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor


def backward_flow(
    source: np.ndarray, target: np.ndarray, triangles: np.ndarray, size: int, device: torch.device
) -> Tensor:
    """Piecewise affine flow of one frame.

    Args:
        source: (V, 2) vertices in the still, in pixels.
        target: (V, 2) vertices in the frame.
        triangles: (T, 3) in the order of drawing: the last one covers the others.
        size: side of the square picture in pixels.
        device: of the result.

    Returns:
        (S, S, 2) x and y in the still, in pixels; pixels outside all triangles stay where they are.
    """
    index = Image.new("I", (size, size), 0)
    draw = ImageDraw.Draw(index)
    for number, corners in enumerate(target[triangles].reshape(-1, 6).tolist(), 1):
        draw.polygon(corners, fill=number)
    places = torch.from_numpy(np.array(index)).to(device).long()
    maps = np.concatenate([[[[1, 0, 0], [0, 1, 0]]], _affine(target[triangles], source[triangles])]).astype(np.float32)
    table = torch.from_numpy(maps.reshape(-1, 6)).to(device).T.contiguous()
    a, b, c, d, e, f = table[:, places.flatten()].unflatten(1, (size, size))
    middle = torch.arange(size, device=device, dtype=torch.float32) + 0.5
    x, y = middle[None], middle[:, None]
    return torch.stack([a * x + b * y + c, d * x + e * y + f], dim=-1)


def _affine(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(T, 2, 3) maps from triangles (T, 3, 2) to others. A triangle without area is sent to its first corner."""
    edges, others = start[:, 1:] - start[:, :1], end[:, 1:] - end[:, :1]
    size = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    safe = np.where(np.abs(size) < 1e-4, np.inf, size)
    inverse = np.stack([edges[:, 1, 1], -edges[:, 0, 1], -edges[:, 1, 0], edges[:, 0, 0]], axis=-1).reshape(-1, 2, 2)
    linear = (inverse / safe[:, None, None]) @ others
    linear = linear.transpose(0, 2, 1)
    return np.concatenate([linear, end[:, 0, :, None] - linear @ start[:, 0, :, None]], axis=2)
