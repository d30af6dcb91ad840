"""Any length: a video as a chain of clips of f frames, with one seed for all of it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Clip:
    """One link of the chain: always f frames are generated, the first `stop - start` are kept."""

    index: int
    start: int
    """First frame of the video."""
    stop: int
    """Frame after the last one kept."""


@dataclass(frozen=True, slots=True)
class MotionFrames:
    """The last frames before a clip, and the clips generated so far."""

    latents: Tensor
    """(M, C, H, W) float32, the last frames before the clip."""
    first: int = 0
    """Index of the first clip in `clips`."""
    clips: tuple[Tensor, ...] = ()
    """The frames kept of each clip before, (frames, C, H, W) float32, unscaled: as the VAE's own latents are kept."""

    @property
    def next(self) -> int:
        """Index of the clip that follows."""
        return self.first + len(self.clips)

    def frames_of_last(self, count: int) -> Tensor:
        """The frames of the last `count` clips, joined."""
        last = self.clips[-count:]
        return last[0] if len(last) == 1 else torch.cat(last)

    def follow(self, clip: "Clip", latents: Tensor, count: int, scale: float) -> "MotionFrames":
        """The state after `clip` with all its f frames (f, C, H, W): its last `count` are the next motion frames."""
        kept = latents[: clip.stop - clip.start] / scale
        return MotionFrames(latents[-count:].clone(), self.first, (*self.clips, kept))


def plan_clips(frames: int, per_clip: int) -> list[Clip]:
    """Cover `frames` frames with clips of `per_clip`, each frame once; the last clip may keep fewer."""
    starts = range(0, frames, per_clip)
    return [Clip(index, start, min(start + per_clip, frames)) for index, start in enumerate(starts)]


def clip_generator(seed: int, index: int) -> torch.Generator:
    """A CPU generator for clip `index`, derived from the video's seed."""
    return _generator(seed, 1, index)


def clip_noise(generator: torch.Generator, shape: tuple[int, ...], *, seed: int, shared: float) -> Tensor:
    """Unit normal noise for a clip; a share of its variance is the same for every frame of the video.

    Frames that start from partly equal noise flicker less (mixed noise, arXiv 2305.10474), provided that the model was
    trained so.

    Args:
        generator: the clip's.
        shape: (F, C, H, W).
        seed: the video's.
        shared: share of the variance in [0, 1).

    Returns:
        (1, F, C, H, W) float32 on the CPU.
    """
    own = torch.randn(shape, generator=generator)
    common = torch.randn(shape[1:], generator=_generator(seed, 0, 0))
    return (shared**0.5 * common + (1 - shared) ** 0.5 * own)[None]


def _generator(seed: int, *key: int) -> torch.Generator:
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)
