"""Mouths that open wider than films show, painted by hand: so the network does not guess there.

Nobody opens the mouth wide in GRID's sentences, but a portrait may shout or sing. Lips of films are opened farther, and the
soft layers are compared with simple painted ones: a dark cavity, a tongue on its floor, teeth that are seen and darken to the
sides.

Shape legend: B patches, H x W a patch.
"""

import torch
from torch import Tensor

from emo_core.portrait.mouth_geometry import HEIGHT, INNER, LOWER, UPPER, WIDTH, lip_edges, lip_polygons, patch_axes

LEAST, MOST = 0.42, 0.85
"""Gap of the widened lips, in the patch's unit."""
BEHIND_LIP = 0.06
"""How far the lower row stays above the lower lip's place."""
TONGUE_FLESH, FLOOR_FLESH, CAVITY_FLESH = 0.72, 0.4, 0.1
"""Brightness over that of the lips."""


def widened(lips: Tensor, generator: torch.Generator) -> Tensor:
    """(B, DESCRIPTOR): the same lips, opened to a random wide gap."""
    points = lip_polygons(lips)
    upper, lower = (points[:, [INNER.index(place) for place in line]] for line in (UPPER, LOWER))
    gap = (lower - upper)[..., 1]
    wanted = LEAST + (MOST - LEAST) * torch.rand(len(lips), generator=generator)
    middle = gap[:, len(UPPER) // 2].clamp(min=0.08)
    more = gap.clamp(min=0) * (wanted / middle - 1)[:, None]
    share = 0.1 + 0.15 * torch.rand(len(lips), generator=generator)[:, None]
    opened = points.clone()
    opened[:, [INNER.index(place) for place in UPPER], 1] -= share * more
    opened[:, [INNER.index(place) for place in LOWER[1:-1]], 1] += ((1 - share) * more)[:, 1:-1]
    narrower = 1 - 0.25 * torch.rand(len(lips), generator=generator)[:, None]
    opened[..., 0] *= narrower
    rest = lips[:, 2 * len(INNER) :].clone()
    rest[:, 1] += 0.45 * (wanted - middle)
    return torch.cat([opened.flatten(1), rest], dim=1)


def jaw_height(lips: Tensor) -> Tensor:
    """(B,): where the lower row of a wide mouth is, so that a little of it stands above the lip."""
    return lip_polygons(lips)[:, INNER.index(14), 1] - BEHIND_LIP


def painted(lips: Tensor) -> Tensor:
    """(B, LAYERS, H, W): how the soft layers of a wide mouth may look."""
    xs, ys = patch_axes(WIDTH, HEIGHT, lips)
    upper, lower = (edge[:, None] for edge in lip_edges(lips, xs))
    down = ys[:, None].expand(len(lips), HEIGHT, WIDTH)
    middle = lip_polygons(lips)[:, INNER.index(14), 1][:, None, None]
    depth = ((down - upper) / (lower - upper).clamp(min=0.05)).clamp(0, 1)
    tongue = torch.sigmoid((1 - ((xs / 0.33).square() + ((down - middle + 0.06) / 0.26).square())) * 4)
    groove = 1 - 0.15 * torch.exp(-(xs / 0.04).square())
    flesh = CAVITY_FLESH + (FLOOR_FLESH - CAVITY_FLESH) * depth.square()
    flesh = flesh + tongue * (TONGUE_FLESH * groove - flesh)
    side = (1 - 0.55 * (xs / 0.45).square()).clamp(min=0.25).expand_as(down)
    white = torch.full_like(flesh, 0.01)
    return torch.stack(
        [white, flesh, torch.full_like(flesh, 0.95), side, torch.full_like(flesh, 0.9), 0.8 * side], dim=1
    )
