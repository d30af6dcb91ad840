"""A training batch: everything random of its step.

So a step is a pure function of weights and batch: runs are equal whatever the number of processes, and a resumed run repeats
nothing and skips nothing.

Shape legend: B samples, F target frames, M motion frames, P = 1 + M + F pictures, C h w latent, S picture side, W = 2m + 1.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """B samples; None if the stage or the dataset has no such thing."""

    keys: tuple[str, ...]
    """Of the clips."""
    latents: Tensor | None
    """(B, P, C, h, w): reference, motion frames, target frames."""
    pictures: Tensor | None
    """(B, P, 3, S, S) uint8, if latents are not cached."""
    conditions: Mapping[str, Tensor]
    """By condition: the network's input; see each condition's `draw`. The reference is the first of the latents."""
    keep: Mapping[str, Tensor]
    """By condition: (B,) 0 where it is dropped."""
    sounds: tuple[Tensor, ...] | None
    """One (samples,) waveform per sample, if features are not cached."""
    windows: Tensor | None
    """(B, F, W) numbers of the frames in each window, if features are not cached."""
    weight: Tensor
    """(B, F, 1, h, w) of the loss."""
    mouths: Tensor
    """(B, F, 4) boxes of the lips, as shares of the side."""
    openings: Tensor
    """(B, F) mouth opening, see `Labels.opening`."""
    noise: Tensor
    """(B, F, C, h, w)"""
    timesteps: Tensor
    """(B,)"""
    motion_known: Tensor
    """(B,) False for zero maps."""
    motion_noise: Tensor | None
    """(B, M, C, h, w)"""
    motion_level: Tensor
    """(B, 1, 1, 1, 1) share of that noise."""
    motion_keep: Tensor | None
    """(B, M, 1, h, w) 0 where a cell is dropped."""
    motion_anchor: Tensor
    """(B, 1, 1, 1, 1) share of the reference in the motion frames."""
    other_reference: Tensor
    """(B,) True where the reference is of another clip of the same person."""

    def to(self, device: torch.device) -> "Batch":
        """On another device."""
        return dataclasses.replace(
            self, **{f.name: _moved(getattr(self, f.name), device) for f in dataclasses.fields(self)}
        )


def collate(samples: list[Batch]) -> Batch:
    """Join batches along their samples."""
    return Batch(
        **{f.name: _joined([getattr(sample, f.name) for sample in samples]) for f in dataclasses.fields(Batch)}
    )


def _joined(parts: list) -> Any:
    if parts[0] is None:
        return None
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    if isinstance(parts[0], Mapping):
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return tuple(item for part in parts for item in part)


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {name: _moved(item, device) for name, item in value.items()}
    return tuple(_moved(item, device) for item in value) if isinstance(value, tuple) else value
