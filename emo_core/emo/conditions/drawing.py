"""The labelled clips that training draws its conditions from.

Shape legend: N clips, T frames of all clips, B samples, F target frames, C h w latent, S picture side, V versions of a sound,
L D wav2vec layers and width, E emotions of `emotion.EXPRESSIVE`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor

from ..config import EMOConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingClips:
    """Clips end to end, on one device. Frame k of clip i is row `starts[i] + k`."""

    starts: Tensor
    """(N,) first frame of each clip."""
    lengths: Tensor
    """(N,) frames of each clip."""
    share: Tensor
    """(N,) how often a clip is drawn, relative to the others."""
    references: Tensor
    """(N, R) clips that a clip may take its reference from: itself, or the same person, framed in another way or in another emotion."""
    boxes: Tensor
    """(N, 4) union of each clip's face boxes: left, top, right, bottom as shares of the picture's side."""
    mouths: Tensor
    """(T, 4) boxes of the lips."""
    openings: Tensor
    """(T,) mouth opening."""
    speed: Tensor
    """(T,) head speed in degrees per frame."""
    emotions: Tensor | None = None
    """(T, E) strengths, NaN in frames whose emotion nobody knows; None if that is so of all."""
    latents: Tensor | None = None
    """(T, C, h, w) float16; None if they are not cached."""
    pictures: Tensor | None = None
    """(T, 3, S, S) uint8, if there are no latents."""
    guides: Tensor | None = None
    """(T, C, h, w) float16 latents of the drawn frames; None for none."""
    features: Tensor | None = None
    """(V, T', L, D) float16; None if they are not cached."""
    feature_starts: Tensor | None = None
    """(N,) first frame of each clip in `features`: clips may share a sound."""
    sounds: tuple[Tensor, ...] | None = None
    """(samples,) at unit speech level for each clip, if there are no features."""

    def to(self, device: torch.device) -> "TrainingClips":
        """On another device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in moved.items() if isinstance(value, Tensor)})


class StageOptions(Protocol):
    """The options of a training stage that conditions read (`StageConfig`)."""

    drop: Mapping[str, float]
    augmented_sounds: bool
    white_mask: float
    mask_grow: float
    constant_speed: float


@dataclass(frozen=True, slots=True)
class Chance:
    """A generator, and the three things that are drawn from it."""

    generator: torch.Generator

    def uniform(self, *shape: int) -> Tensor:
        """In [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device)

    def normal(self, *shape: int) -> Tensor:
        """Of mean 0 and variance 1."""
        return torch.randn(shape, generator=self.generator, device=self.generator.device)

    def happens(self, count: int, probability: float) -> Tensor:
        """(count,) True with a probability."""
        return self.uniform(count) < probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One batch while it is drawn."""

    clips: TrainingClips
    clip: Tensor
    """(B,) numbers of the clips."""
    targets: Tensor
    """(B, F) numbers of the target frames in their clip."""
    chance: Chance
    config: EMOConfig
    stage: StageOptions

    @property
    def lengths(self) -> Tensor:
        """(B,) frames of the clips."""
        return self.clips.lengths[self.clip]

    @property
    def starts(self) -> Tensor:
        """(B,) first rows of the clips."""
        return self.clips.starts[self.clip]

    def within(self, frames: Tensor) -> Tensor:
        """Frame numbers (B, ...) clamped to their clip."""
        last = (self.lengths - 1).view(-1, *[1] * (frames.ndim - 1))
        return torch.minimum(frames.clamp(min=0), last)
