"""Rows of teeth for a mouth that was never filmed.

Photographs of smiles show upper teeth sharply, films show lower ones as a blur. So the lower row is made of the upper one:
upside down, narrower, along the lower row's curve.

Shape legend: W the patch's width.
"""

import torch
from torch import Tensor
from torch.nn import functional

from emo_core.portrait.mouth_geometry import HEIGHT, SPAN, TOP, WIDTH, patch_axes
from emo_core.portrait.mouth_interior import LOWER_TOP, ROWS

NARROWER, SHORTER = 0.72, 0.85
"""Width and height of lower teeth over those of upper ones."""
DIMMER = 0.15
"""How much darker they are, before the sigmoid of brightness."""
MIDDLE, SIDES = -0.04, 0.1
"""Height of the lower row's edge with a closed jaw, and how much it rises to the sides."""
SEEN = 0.34
"""Half the width in which the edge of the upper row is looked for."""
BRIGHT, EDGE = 0.61, 0.058
"""Median of the upper row's brightness (two thirds of the white), and height of its edge: as most people's here."""
WIDE, CRISPER = 9, 0.6
"""Pixels of a neighbourhood, and how much what differs from its mean is strengthened: so that each tooth stands out."""
SMOOTH = (0.25, 0.5, 0.25)


def upper_row(row: Tensor) -> Tensor:
    """(2, ROWS, W) of a photograph to one of usual brightness and height, without the camera's noise."""
    kernel = row.new_tensor(SMOOTH)
    kernel = (kernel[:, None] * kernel)[None, None]
    bright = functional.conv2d(functional.pad(row[None, :1], (1, 1, 1, 1), mode="replicate"), kernel)[0].sigmoid()
    xs, _ = patch_axes(WIDTH, HEIGHT, row)
    seen = (row[1:] > 0) & (xs.abs() < SEEN) & (torch.arange(ROWS)[:, None] * (SPAN / WIDTH) + TOP > 0)
    bright = bright * (BRIGHT / bright[seen].median())
    around = functional.avg_pool2d(bright[None], WIDE, 1, WIDE // 2, count_include_pad=False)[0]
    bright = bright + CRISPER * (bright - around)
    edge = _edge(row, xs, torch.zeros(1))
    return _moved(torch.cat([bright.clamp(0.01, 0.99).logit(), row[1:]]), float(EDGE - edge))


def _moved(row: Tensor, down: float) -> Tensor:
    """Moved down, in the patch's unit."""
    grid = functional.affine_grid(torch.eye(2, 3)[None], [1, 2, ROWS, WIDTH], align_corners=False)
    grid[..., 1] -= down * 2 / (SPAN * ROWS / WIDTH)
    return functional.grid_sample(row[None], grid, align_corners=False, padding_mode="border")[0]


def lower_row(upper: Tensor) -> Tensor:
    """(2, ROWS, W) upper row to (2, ROWS, W) lower row."""
    xs, _ = patch_axes(WIDTH, HEIGHT, upper)
    ys = (torch.arange(ROWS, dtype=upper.dtype) + 0.5)[:, None] * (SPAN / WIDTH) + LOWER_TOP
    from_xs = xs / NARROWER
    depth = (ys - (MIDDLE - SIDES * xs.square())) / SHORTER
    from_ys = _edge(upper, xs, from_xs) - depth
    grid = torch.stack(
        [(from_xs * (2 / SPAN)).expand(ROWS, -1), (from_ys - TOP) * (2 / (SPAN * ROWS / WIDTH)) - 1], dim=-1
    )
    row = functional.grid_sample(upper[None], grid[None], align_corners=False, padding_mode="border")[0]
    return torch.cat([row[:1] - DIMMER, row[1:]])


def _edge(upper: Tensor, xs: Tensor, places: Tensor) -> Tensor:
    """Height of the biting edge at places: a parabola through the lowest opaque pixels of each column."""
    rows = torch.arange(ROWS, dtype=upper.dtype)[:, None]
    lowest = torch.where(upper[1] > 0, rows, -1.0).amax(0)
    used = (xs.abs() < SEEN) & (lowest >= 0)
    heights = (lowest[used] + 1) * (SPAN / WIDTH) + TOP
    powers = torch.stack([torch.ones_like(xs), xs, xs.square()], dim=1)
    curve = torch.linalg.lstsq(powers[used], heights[:, None]).solution[:, 0]
    return curve[0] + curve[1] * places + curve[2] * places.square()
