"""Audio: windows of wav2vec features around every frame (paper section 3.2, "Audio Layers").

Value: (B, F, W, L, D) windows, W = 2m + 1. Features: tokens (B F, T, D).
"""

from typing import Any

import torch
from torch import Tensor, nn

from ...audio.features import FrameFeatures
from ..config import EMOConfig
from ..models.attention import Layers
from ..models.audio_layers import AudioProjection
from ..models.backbone import BackboneSite
from ..sampling.clips import Clip
from .condition import Condition, Scene
from .drawing import Draw


class AudioCondition(Condition):
    """A voice."""

    name = "audio"
    module_name = "audio_projection"
    guided = True
    droppable = True

    def prepare(self, request: Any, scene: Scene) -> FrameFeatures:
        return scene.features

    def at_clip(
        self, value: FrameFeatures, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        return value.windows(clip.start, clip.start + config.temporal.frames)[None].to(device, dtype)

    def draw(self, draw: Draw) -> Tensor | None:
        clips = draw.clips
        if clips.features is None:
            return None
        versions = len(clips.features) if draw.stage.augmented_sounds else 1
        version = (draw.chance.uniform(len(draw.clip)) * versions).long()
        rows = clips.feature_starts[draw.clip][:, None, None] + window_frames(draw)
        return clips.features[version[:, None, None], rows].float()

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module:
        return AudioProjection(config.audio, ops=ops)

    def encode(self, encoder: nn.Module, value: Tensor) -> Tensor:
        return encoder(value).flatten(0, 1)

    def at_site(self, site: BackboneSite, features: Tensor) -> Any:
        return None if site.audio_block is None else site.audio_block.keys_values(features)

    def default_scale(self, config: EMOConfig) -> float:
        return config.diffusion.audio_scale


def window_frames(draw: Draw) -> Tensor:
    """(B, F, W) numbers of the frames in each target's window, clamped to the clip."""
    m = draw.config.audio.window
    return draw.within(draw.targets[..., None] + torch.arange(-m, m + 1, device=draw.targets.device))
