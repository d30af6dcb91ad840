"""Mouths painted by hand, as a guide for the mouth that is shipped.

Lips do not tell how high the tongue is or how far the jaw is open, and films of few pixels are noisy; a network that learns from
films alone draws the mean of what it saw, grey and milky. And nobody opens the mouth wide in GRID's sentences. So what is
shipped lies between that mean and a painting of simple soft layers: a dark cavity, a tongue on its floor, teeth that darken
to the sides and under the lips.

Shape legend: B patches, H x W a patch.
"""

import torch
from torch import Tensor

from emo_core.portrait.mouth_geometry import HEIGHT, INNER, LOWER, UPPER, WIDTH, lip_edges, lip_polygons, patch_axes

LEAST, MOST = 0.03, 0.85
"""Gap of the lips, in the patch's unit."""
NARROWEST = 0.72
"""Width of rounded lips over the films'."""
BEHIND_LIP = 0.05
"""How far the lower row's place is above the lower lip."""
TONGUE_FLESH, FLOOR_FLESH, CAVITY_FLESH = 0.8, 0.42, 0.14
"""Brightness over that of the lips."""
FILMS_SHARE, FILMS_GAPS = 0.3, (0.34, 0.5)
"""Share of the films' mean beside the painting, and the gaps over which it fades: films show no wider mouths."""
LIP_SHADOW, LIP_SHADE = 0.05, 0.5
"""Height of the shadow of the upper lip on the teeth, and how dark it is at the lip."""


def opened(lips: Tensor, generator: torch.Generator) -> Tensor:
    """(B, DESCRIPTOR): the same lips with a random gap, and some of them rounder."""
    points = lip_polygons(lips)
    upper, lower = ([INNER.index(place) for place in line] for line in (UPPER, LOWER))
    gap = (points[:, lower] - points[:, upper])[..., 1].clamp(min=0)
    middle = gap[:, len(UPPER) // 2].clamp(min=0.05)
    bow = (gap / middle[:, None]).clamp(max=1.2)
    wanted = LEAST + (MOST - LEAST) * torch.rand(len(lips), generator=generator).square()
    more = (wanted[:, None] * bow - gap) * (bow > 0)
    share = 0.05 + 0.2 * torch.rand(len(lips), generator=generator)[:, None]
    points = points.clone()
    points[:, upper, 1] -= share * more
    points[:, lower[1:-1], 1] += ((1 - share) * more)[:, 1:-1]
    points[..., 0] *= 1 - (1 - NARROWEST) * torch.rand(len(lips), generator=generator)[:, None]
    rest = lips[:, 2 * len(INNER) :].clone()
    rest[:, 1] += 0.45 * (wanted - middle)
    return torch.cat([points.flatten(1), rest], dim=1)


def jaw_height(lips: Tensor) -> Tensor:
    """(B,): where the lower row of teeth is."""
    return lip_polygons(lips)[:, INNER.index(14), 1] - BEHIND_LIP


def films_share(lips: Tensor) -> Tensor:
    """(B,): how much the films have to say about these lips."""
    points = lip_polygons(lips)
    gap = points[:, INNER.index(14), 1] - points[:, INNER.index(13), 1]
    low, high = FILMS_GAPS
    return FILMS_SHARE * ((high - gap) / (high - low)).clamp(0, 1)


def painted(lips: Tensor) -> Tensor:
    """(B, LAYERS, H, W): how the soft layers may look."""
    xs, ys = patch_axes(WIDTH, HEIGHT, lips)
    upper, lower = (edge[:, None] for edge in lip_edges(lips, xs))
    down = ys[:, None].expand(len(lips), HEIGHT, WIDTH)
    points = lip_polygons(lips)
    floor = points[:, INNER.index(14), 1][:, None, None]
    gap = floor - points[:, INNER.index(13), 1][:, None, None]
    half = 0.5 * (points[:, len(UPPER) - 1, 0] - points[:, 0, 0])[:, None, None].clamp(min=0.1)
    depth = ((down - upper) / (lower - upper).clamp(min=0.05)).clamp(0, 1)
    open_share = ((gap - 0.08) / 0.2).clamp(0, 1)
    tongue = torch.sigmoid((1 - ((xs / 0.31).square() + ((down - floor + 0.03) / (0.1 + 0.28 * gap)).square())) * 4)
    groove = 1 - 0.12 * torch.exp(-(xs / 0.04).square())
    flesh = CAVITY_FLESH + (FLOOR_FLESH - CAVITY_FLESH) * depth.square()
    flesh = flesh + tongue * (0.35 + 0.65 * open_share) * (TONGUE_FLESH * groove - flesh)
    corner = (1 - (xs / half).abs().clamp(max=1).pow(4)) * (1 - 0.5 * (xs / 0.5).square()).clamp(min=0.3)
    under_lip = LIP_SHADE + (1 - LIP_SHADE) * ((down - upper) / LIP_SHADOW).clamp(0, 1)
    light = (0.45 + 0.55 * (gap / 0.14)).clamp(max=1)
    shade = (corner * light).expand_as(down)
    white = torch.full_like(flesh, 0.01)
    see = torch.full_like(flesh, 0.97)
    return torch.stack([white, flesh * (0.5 + 0.5 * corner), see, shade * under_lip * 1.15, see, 0.95 * shade], dim=1)
