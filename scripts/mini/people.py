"""People who were never there: clips mirrored, stretched, warped and recoloured, and framed in another way.

A variant keeps one build, one light and one framing through its clip, so that it is a person of its own to the reference, whose
mouth still goes with the sound. Two framings of one person teach that the face region, not the reference, says where the face is.

Shape legend: F frames, S picture side.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Build and light; the default is the one who was filmed."""

    mirrored: bool = False
    stretch: tuple[float, float] = (1.0, 1.0)
    slant: float = 0.0
    waves: tuple[tuple[float, ...], ...] = ()
    """Each: two frequencies, two phases, two amplitudes."""
    gamma: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mix: tuple[tuple[float, float, float], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    """What becomes of red, green and blue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """A square inside the picture; the default is all of it."""

    zoom: float = 1.0
    x: float = 0.0
    """Of its middle, -1 .. 1, as far as the picture reaches."""
    y: float = 0.0


def random_person(rng: np.random.Generator) -> Person:
    """Somebody."""
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
    """Nearer by up to a quarter, anywhere where the chin is seen."""
    return Framing(zoom=float(rng.uniform(1.05, 1.28)), x=float(rng.uniform(-1, 1)), y=float(rng.uniform(-0.4, 1)))


def sources(person: Person, framing: Framing, size: int, device: torch.device) -> Tensor:
    """(S, S, 2) where each pixel comes from, x and y in -1 .. 1."""
    middle = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(middle, middle, indexing="ij")
    room = 1 - 1 / framing.zoom
    u, v = u / framing.zoom + room * framing.x, v / framing.zoom + room * framing.y
    if person.mirrored:
        u = -u
    at_u, at_v = u / person.stretch[0] + person.slant * v, v / person.stretch[1]
    for a, b, one, two, wide, high in person.waves:
        at_u, at_v = (
            at_u + wide * torch.sin(a * v + b * u + one),
            at_v + high * torch.sin(b * v - a * u + two),
        )
    return torch.stack([at_u, at_v], -1)


def seen(pictures: Tensor, grid: Tensor, person: Person) -> Tensor:
    """(F, S, S, 3) uint8 to the same of somebody else."""
    images = rearrange(pictures, "f h w c -> f c h w").float() / 255
    moved = functional.grid_sample(
        images, grid.expand(len(images), -1, -1, -1), "bicubic", padding_mode="reflection", align_corners=False
    ).clamp(0, 1)
    gamma = torch.tensor(person.gamma, device=moved.device)[:, None, None]
    lit = torch.einsum("dc,fchw->fdhw", torch.tensor(person.mix, device=moved.device), moved**gamma)
    return rearrange(lit.clamp(0, 1) * 255, "f c h w -> f h w c").round().to(torch.uint8)


def boxes_in(boxes: Tensor, grid: Tensor) -> Tensor:
    """(F, 4) boxes, shares of the side, to where they are seen; what is not seen any more is an empty box in the middle."""
    place = (grid + 1) / 2
    inside = (place >= boxes[:, None, None, :2]) & (place <= boxes[:, None, None, 2:])
    inside = inside.all(-1)  # (F, S, S)
    size = grid.shape[0]
    found = []
    for axis in (1, 2):  # Columns, then rows.
        line = inside.any(axis).float()
        first, last = line.argmax(1), size - line.flip(1).argmax(1)
        seen_at_all = line.any(1)
        found.append(torch.where(seen_at_all, first, size // 2) / size)
        found.append(torch.where(seen_at_all, last, size // 2) / size)
    left, right, top, bottom = found
    return torch.stack([left, top, right, bottom], -1)
