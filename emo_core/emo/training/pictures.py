"""Pictures in memory, and random crops of them, for training the autoencoder.

Shape legend: N pictures, S their side, B crops, s their side, C h w latent.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ...dataset.shards import HELD_OUT, TRAIN, Dataset, read_clips

MAX_PICTURES, MAX_HELD_OUT = 4000, 64
"""Pictures held in memory, spread evenly over a split."""
CROP = 128
"""Side of a crop in pixels; smaller pictures are taken whole."""
MOUTH_WEIGHT = 10.0
"""Weight of pixels in the mouth's box."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Frames in memory."""

    frames: Tensor
    """(N, S, S, 3) uint8"""
    mouths: Tensor
    """(N, 4) pixels: left, top, right, bottom."""
    latents: Tensor | None = None
    """(N, C, h, w) latents that a diffusion network generated for them; None if the autoencoder encodes them."""
    names: tuple[str, ...] = ()
    """(N,) clip and frame, for error messages; may be empty."""

    def to(self, device: torch.device) -> "Pictures":
        """On another device."""
        latents = None if self.latents is None else self.latents.to(device)
        return Pictures(self.frames.to(device), self.mouths.to(device), latents, self.names)


def read_pictures(dataset: Dataset, split: str, limit: int = MAX_PICTURES) -> Pictures:
    """Read frames of a split, evenly spread."""
    every = max(1, math.ceil(sum(shard.frames for shard in dataset.split(split)) / limit))
    frames, mouths, names = [], [], []
    for clip in read_clips(dataset, split):
        frames.append(clip.pictures()[::every])
        mouths.append(clip.labels.mouths[::every] * dataset.size)
        names += [f"{clip.key} frame {frame}" for frame in range(0, clip.frames, every)]
    if not frames:
        return Pictures(torch.zeros(0, dataset.size, dataset.size, 3, dtype=torch.uint8), torch.zeros(0, 4))
    frames, mouths = (torch.from_numpy(np.concatenate(part)) for part in (frames, mouths))
    return Pictures(frames, mouths, names=tuple(names))


def read_splits(dataset: Dataset) -> tuple[Pictures, Pictures]:
    """Pictures to train on, and a few held-out ones."""
    return read_pictures(dataset, TRAIN), read_pictures(dataset, HELD_OUT, MAX_HELD_OUT)


def crops(pictures: Pictures, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Random crops, half of them around the mouth, mirrored and tinted; computed on the pictures' device.

    Returns:
        (B, 3, s, s) in [-1, 1], the weight of each pixel (B, 1, s, s), and the names of the pictures, if they have names.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=pictures.frames.device)

    index, columns, rows = _places(pictures, count, generator)
    columns = torch.where(uniform(count, 1) < 0.5, columns.flip(1), columns)
    pixels, weights = _cut(pictures, index, columns, rows)
    gain, tint = 0.85 + 0.3 * uniform(count, 1, 1, 1), 0.16 * (uniform(count, 3, 1, 1) - 0.5)
    names = tuple(pictures.names[number] for number in index.tolist()) if pictures.names else ()
    return (pixels * gain + tint).clamp(-1, 1), weights, names


def crops_with_latents(pictures: Pictures, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random crops of pictures that have latents, half of them around the mouth; latents allow no mirroring or tint.

    Returns:
        (B, 3, s, s) in [-1, 1] and the latents (B, C, s / cell, s / cell).
    """
    cell = pictures.frames.shape[1] // pictures.latents.shape[-1]
    index, columns, rows = _places(pictures, count, generator, cell)
    across, down = (at[:, ::cell] // cell for at in (columns, rows))
    latents = pictures.latents[index[:, None, None], :, down[:, :, None], across[:, None, :]]
    return _cut(pictures, index, columns, rows)[0], rearrange(latents, "b h w c -> b c h w").float()


def _places(pictures: Pictures, count: int, generator: torch.Generator, cell: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of pictures (B,), and their columns and rows (B, s), each from a multiple of `cell` on."""
    size, device = pictures.frames.shape[1], pictures.frames.device
    side = min(CROP, size)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    index = torch.randint(len(pictures.frames), (count,), generator=generator, device=device)
    mouth = pictures.mouths[index].float()
    near = (mouth[:, :2] + mouth[:, 2:] - side) / 2 + (uniform(count, 2) - 0.5) * 0.6 * side
    corner = torch.where(uniform(count, 1) < 0.5, near, uniform(count, 2) * (size - side + cell))
    corner = corner.clamp(0, size - side).long() // cell * cell
    columns, rows = (corner[:, axis, None] + torch.arange(side, device=device) for axis in (0, 1))
    return index, columns, rows


def _cut(pictures: Pictures, index: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, s, s) in [-1, 1], and their weights (B, 1, s, s)."""
    images = pictures.frames[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    mouth = pictures.mouths[index].float()
    x, y = ((at >= mouth[:, axis, None]) & (at < mouth[:, axis + 2, None]) for axis, at in ((0, columns), (1, rows)))
    weights = 1 + (MOUTH_WEIGHT - 1) * (y[:, :, None] & x[:, None, :]).float()
    return rearrange(images, "b h w c -> b c h w").float() / 127.5 - 1, weights[:, None]
