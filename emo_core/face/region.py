"""The face region as the mask M that the Face Locator takes (paper section 3.2)."""

import torch
from torch import Tensor
from torch.nn import functional

from .box import Box


def region_mask(region: Box | None, picture: int, size: int) -> Tensor:
    """Draw a face region as a mask.

    Args:
        region: in pixels of the model's square picture; None for an all-white mask.
        picture: side of that picture.
        size: side of the mask.

    Returns:
        (size, size) float32: the covered share of each cell.
    """
    if region is None:
        return torch.ones(size, size)
    scale = size / picture
    rows = _covered(region.top * scale, region.bottom * scale, size)
    columns = _covered(region.left * scale, region.right * scale, size)
    return rows[:, None] * columns[None]


def fit_mask(mask: Tensor, size: int) -> Tensor:
    """Scale a mask (H, W) to the Face Locator's side; each cell is the mean of its area."""
    return functional.interpolate(mask[None, None].float(), (size, size), mode="area")[0, 0].clamp(0, 1)


def _covered(low: float, high: float, size: int) -> Tensor:
    cells = torch.arange(size, dtype=torch.float32)
    return (torch.clamp(cells + 1, max=high) - torch.clamp(cells, min=low)).clamp(0, 1)
