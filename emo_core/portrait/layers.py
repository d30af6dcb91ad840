"""Layers over the moved skin: a window of the frame, its soft outline, and the picture inside.

Shape legend: h w window.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

FINER = 4
"""Outlines are drawn at this many times the resolution, and reduced: no stairs at lids and lips."""
MARGIN = 2
"""Pixels around an outline."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the frame that a closed outline covers."""

    left: int
    top: int
    alpha: np.ndarray
    """(h, w) float32 share of each pixel inside the outline."""

    @classmethod
    def of(cls, outline: np.ndarray, size: int) -> "Window | None":
        """The window of an outline (P, 2) in pixels; None if it has no area inside the frame."""
        low = np.maximum(np.floor(outline.min(0)).astype(int) - MARGIN, 0)
        high = np.minimum(np.ceil(outline.max(0)).astype(int) + MARGIN, size)
        if (high - low < 1).any():
            return None
        width, height = (high - low).tolist()
        drawn = Image.new("L", (width * FINER, height * FINER), 0)
        corners = ((outline - low) * FINER - 0.5).ravel().tolist()
        ImageDraw.Draw(drawn).polygon(corners, fill=255)
        alpha = np.asarray(drawn.resize((width, height), Image.Resampling.BOX), np.float32) / 255
        return cls(int(low[0]), int(low[1]), alpha) if alpha.max() > 0 else None

    @property
    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """X (1, w) and y (h, 1) of the middle of each pixel."""
        height, width = self.alpha.shape
        return self.left + np.arange(width)[None] + 0.5, self.top + np.arange(height)[:, None] + 0.5

    def lay(self, frame: Tensor, picture: Tensor, alpha: Tensor | None = None) -> None:
        """Blend a picture (3, h, w) into a frame (3, S, S), in place."""
        height, width = self.alpha.shape
        part = frame[:, self.top : self.top + height, self.left : self.left + width]
        alpha = torch.from_numpy(self.alpha).to(frame.device) if alpha is None else alpha
        part.lerp_(picture, alpha[None].expand_as(part))


def sample(texture: Tensor, places: Tensor, size: int) -> Tensor:
    """Read a texture (1, C, H, W) of a square of `size` pixels at places (h, w, 2) in its pixels: (C, h, w)."""
    return functional.grid_sample(
        texture, (places * (2 / size) - 1)[None], mode="bicubic", padding_mode="border", align_corners=False
    )[0]
