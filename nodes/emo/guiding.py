"""Guide frames as the network and the decoder read them.

Shape legend: F frames, S picture side, C h w latent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...emo_core.emo.config import EMOConfig
from ...emo_core.emo.models.guide_pictures import Guide as DecoderGuide
from ...emo_core.emo.sampling.clips import Clip
from ...emo_core.errors import InputError

NEEDED = (
    "emo guide: {name} repairs drawn frames, and none are wired; wire Guide Frames to emo_guide (open the workflow emo-any-portrait), or choose "
    "emo-mini in EMO Model Loader"
)


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """Drawn frames of a whole video."""

    frames: np.ndarray
    """(F, S, S, 3) uint8"""
    encoded: Tensor
    """(F, C, h, w) unscaled, as the host's LATENT."""

    def check(self, config: EMOConfig, frames: int) -> Guide:
        """Check that they fit to a model and to the number of frames of its video.

        Raises:
            InputError: if they do not.
        """
        if not config.guide.layers:
            raise InputError(
                f"emo guide: {config.name} was trained without guide frames; remove the wire, or load emo-mini-few"
            )
        if len(self.frames) < frames:
            raise InputError(
                f"emo guide: got {len(self.frames)} frames; the sound has {frames} at {config.fps:g} fps; give Animate Portrait the same "
                "sound and its motion the same rate"
            )
        expected = (config.vae.channels, config.latent_size, config.latent_size)
        if tuple(self.encoded.shape[1:]) != expected:
            height, width = self.frames.shape[1:3]
            raise InputError(
                f"emo guide: got frames of {width} x {height}; {config.name} needs {config.image_size} x {config.image_size}; give Animate "
                f"Portrait the crop of Face Locator Mask and the size {config.image_size}"
            )
        return self

    def of_video(self, scale: float) -> VideoGuide:
        """For the network, whose latents are `scale` times the host's."""
        return VideoGuide(self, scale)


@dataclass(frozen=True, slots=True, eq=False)
class VideoGuide:
    """The value of the condition `guide`; see `emo_core.emo.conditions.guide`."""

    guide: Guide
    scale: float

    def of_clip(self, clip: Clip) -> DecoderGuide:
        """The frames kept of a clip."""
        return self.of_frames(slice(clip.start, clip.stop))

    def of_frames(self, rows: slice) -> DecoderGuide:
        """Some frames of the video."""
        return DecoderGuide(self.guide.frames[rows], self.guide.encoded[rows].float() * self.scale)

    def latents(self, clip: Clip, frames: int) -> Tensor:
        """(frames, C, h, w), the last one repeated behind the video's end."""
        chosen = torch.arange(clip.start, clip.start + frames).clamp(max=len(self.guide.encoded) - 1)
        return self.guide.encoded[chosen].float() * self.scale
