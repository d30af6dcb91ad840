"""Augment people: clips are warped and recoloured, put into others' surroundings, and framed in another way.

A variant keeps one build, one light and one framing through its clip, so that it is another person with the same lip motion. Two
framings of one person train the network to take the place of the face from the face region, not from the reference.

Shape legend: F frames, S picture side.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

ZOOMS = (0.62, 1.28)
BELOW = 0.15
"""Share of the side that may lie below the filmed picture, whose edges are repeated outside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Build and light; the default is the filmed person."""

    mirrored: bool = False
    stretch: tuple[float, float] = (1.0, 1.0)
    slant: float = 0.0
    waves: tuple[tuple[float, ...], ...] = ()
    """Each: two frequencies, two phases, two amplitudes."""
    gamma: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mix: tuple[tuple[float, float, float], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    """Rows of the colour matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Zoom and place of the picture; the default is as filmed."""

    zoom: float = 1.0
    x: float = 0.0
    """Sides of the square that its middle moves to the right."""
    y: float = 0.0


def random_person(rng: np.random.Generator) -> Person:
    """A random build and light."""
    saturation = rng.uniform(0.4, 1.3)
    mix = saturation * np.eye(3) + (1 - saturation) / 3 + rng.normal(0, 0.04, (3, 3))
    gains = np.exp(rng.normal(0, 0.1, (3, 1)))
    return Person(
        mirrored=bool(rng.random() < 0.5),
        stretch=tuple(rng.uniform(0.88, 1.14, 2).tolist()),
        slant=float(rng.normal(0, 0.03)),
        waves=tuple(
            (*rng.uniform(1, 4, 2).tolist(), *rng.uniform(0, 2 * np.pi, 2).tolist(), *rng.normal(0, 0.016, 2).tolist())
            for _ in range(2)
        ),
        gamma=tuple(np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.05, 3)).tolist()),
        mix=tuple(map(tuple, (mix * gains).tolist())),
    )


def random_framing(rng: np.random.Generator) -> Framing:
    """A random zoom and place with nearly all of the face, and little below the filmed picture."""
    zoom = float(np.exp(rng.uniform(*np.log(ZOOMS))))
    aside, down = 0.5 - 0.21 * zoom, 0.5 - 0.3 * zoom
    up = max(-down, (1 - zoom) / 2 - BELOW)
    return Framing(zoom=zoom, x=float(rng.uniform(-aside, aside)), y=float(rng.uniform(up, down)))


def sources(person: Person, framing: Framing, size: int, device: torch.device) -> Tensor:
    """(S, S, 2) source of each pixel, x and y in -1 .. 1."""
    middle = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(middle, middle, indexing="ij")
    u, v = (u - 2 * framing.x) / framing.zoom, (v - 2 * framing.y) / framing.zoom
    if person.mirrored:
        u = -u
    at_u, at_v = u / person.stretch[0] + person.slant * v, v / person.stretch[1]
    for a, b, one, two, wide, high in person.waves:
        at_u, at_v = (
            at_u + wide * torch.sin(a * v + b * u + one),
            at_v + high * torch.sin(b * v - a * u + two),
        )
    return torch.stack([at_u, at_v], -1)


def among(pictures: Tensor, face: Tensor, host: Tensor, place: Tensor) -> Tensor:
    """Put a face into somebody else's surroundings, in their light.

    Args:
        pictures: (F, S, S, 3) uint8 of the face.
        face: (4,) box that it never leaves, shares of the side.
        host: (S, S, 3) uint8, the source of hair, clothes and background.
        place: (4,) the host's face, which is scaled and moved to lie under the other.

    Returns:
        (F, S, S, 3) uint8.
    """
    size, device = len(host), host.device
    middle, extent = (face[:2] + face[2:]) / 2, face[2:] - face[:2]
    at = (torch.arange(size, device=device) + 0.5) / size
    y, x = torch.meshgrid(at, at, indexing="ij")
    scale = (place[2:] - place[:2]) / extent
    grid = torch.stack(
        [(axis - middle[i]) * scale[i] + (place[i] + place[i + 2]) / 2 for i, axis in enumerate((x, y))], -1
    )
    around = functional.grid_sample(
        rearrange(host, "h w c -> 1 c h w").float(), grid[None] * 2 - 1, "bilinear", "border", align_corners=False
    )
    distance = (((x - middle[0]) / extent[0]) ** 2 + ((y - middle[1]) / extent[1]) ** 2).sqrt() * 2
    share = ((1.12 - distance) / 0.22).clamp(0, 1)  # 1 in the ellipse of the face, soft at its edge.
    images = rearrange(pictures, "f h w c -> f c h w").float()
    inside = distance < 0.9
    own, other = images[0][:, inside], around[0][:, inside]
    gain = (other.std(1) / own.std(1).clamp(min=1)).clamp(0.6, 1.6)[:, None, None]
    lit = (images - own.mean(1)[:, None, None]) * gain + other.mean(1)[:, None, None]
    return rearrange(torch.lerp(around, lit, share).clamp(0, 255), "f c h w -> f h w c").round().to(torch.uint8)


def transformed(pictures: Tensor, grid: Tensor, person: Person) -> Tensor:
    """Pictures (F, S, S, 3) uint8 warped and recoloured; the grid is (S, S, 2), or one per frame."""
    images = rearrange(pictures, "f h w c -> f c h w").float() / 255
    moved = functional.grid_sample(
        images, grid.expand(len(images), -1, -1, -1), "bicubic", padding_mode="border", align_corners=False
    ).clamp(0, 1)
    gamma = torch.tensor(person.gamma, device=moved.device)[:, None, None]
    lit = torch.einsum("dc,fchw->fdhw", torch.tensor(person.mix, device=moved.device), moved**gamma)
    return rearrange(lit.clamp(0, 1) * 255, "f c h w -> f h w c").round().to(torch.uint8)


def boxes_in(boxes: Tensor, grid: Tensor) -> Tensor:
    """Move (F, 4) boxes, shares of the side, by a grid (S, S, 2) or (F, S, S, 2); a box out of the picture becomes an empty one in the middle."""
    place = (grid + 1) / 2
    inside = (place >= boxes[:, None, None, :2]) & (place <= boxes[:, None, None, 2:])
    inside = inside.all(-1)  # (F, S, S)
    size = grid.shape[-2]
    edges = []
    for axis in (1, 2):  # Columns, then rows.
        line = inside.any(axis).float()
        first, last = line.argmax(1), size - line.flip(1).argmax(1)
        visible = line.any(1)
        edges.append(torch.where(visible, first, size // 2) / size)
        edges.append(torch.where(visible, last, size // 2) / size)
    left, right, top, bottom = edges
    return torch.stack([left, top, right, bottom], -1)
