"""Speed: how fast the head turns (paper section 3.2, "Speed Layers").

Value: (B, F + 2m) head rotation speed with its m neighbours on both sides. Features: (B, F, L).
"""

import argparse
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ..config import EMOConfig
from ..models.attention import KeyValue, Layers
from ..models.backbone import BackboneSite
from ..models.speed_layers import SpeedEncoder
from ..sampling.clips import Clip
from .condition import AddOption, Condition, Scene
from .drawing import Draw
from .speed_curve import SpeedCurve


class SpeedCondition(Condition):
    """A head speed for every frame. Without it the speed layers are left out."""

    name = "speed"
    module_name = "speed_encoder"
    layer_droppable = True

    def add_options(self, add: AddOption) -> None:
        add(
            "--speed",
            metavar="S",
            help="head speed: calm, normal, active, a number in the checkpoint's unit (0.2), or over time 0:0,1.5:active (default: the model decides)",
        )

    def read_options(self, args: argparse.Namespace) -> SpeedCurve | None:
        return None if args.speed is None else SpeedCurve.parse(args.speed)

    def check(self, request: SpeedCurve | None, config: EMOConfig) -> None:
        if request is not None:
            request.check(config.speed)

    def describe(self, request: SpeedCurve | None) -> dict[str, Any] | None:
        return None if request is None else asdict(request)

    def prepare(self, request: SpeedCurve | None, scene: Scene) -> Tensor | None:
        """(frames,) of the whole video."""
        return None if request is None else request.at_frames(scene.features.frames, scene.fps)

    def at_clip(self, value: Tensor, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype) -> Tensor:
        m = config.speed.window
        index = torch.arange(clip.start - m, clip.start + config.temporal.frames + m).clamp(0, len(value) - 1)
        return value[index][None].to(device)  # In float32: buckets are narrow.

    def draw(self, draw: Draw) -> Tensor:
        m, frames = draw.config.speed.window, draw.targets.shape[1]
        around = draw.within(draw.targets[:, :1] + torch.arange(-m, frames + m, device=draw.targets.device))
        speed = draw.clips.speed[draw.starts[:, None] + around]
        constant = draw.chance.happens(len(draw.clip), draw.stage.constant_speed)[:, None]
        return torch.where(constant, speed.mean(1, keepdim=True), speed)

    def in_use(self, config: EMOConfig) -> bool:
        return config.speed.layers

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module:
        return SpeedEncoder(config.speed, ops=ops)

    def at_site(self, site: BackboneSite, features: Tensor) -> KeyValue | None:
        return None if site.temporal is None else site.temporal.speed_keys_values(features)
