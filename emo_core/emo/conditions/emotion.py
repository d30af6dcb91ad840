"""Emotion: how strongly the face shows each emotion, frame by frame; the paper has none.

Value: (B, F, E) strengths in the order of the model's names, zeros for neutral, NaN where nobody knows. Features: (B, F, L).
"""

import argparse

import torch
from torch import Tensor, nn

from ...command_line import add_emotion
from ...emotion import EXPRESSIVE, EmotionCurve
from ...errors import InputError
from ..config import EMOConfig, EmotionConfig
from ..models.attention import Layers
from ..models.backbone import BackboneSite
from ..models.emotion_layers import EmotionEncoder
from ..sampling.clips import Clip
from .condition import AddOption, Condition, Scene
from .drawing import Draw


class EmotionCondition(Condition):
    """Emotions over time. Without them the emotion layers are left out, and the model decides."""

    name = "emotion"
    module_name = "emotion_encoder"
    guided = True
    droppable = True

    def add_options(self, add: AddOption) -> None:
        add_emotion(add, "neutral; with a checkpoint, the model decides")

    def read_options(self, args: argparse.Namespace) -> EmotionCurve | None:
        if args.emotion is not None:
            return EmotionCurve.parse(args.emotion, args.strength)
        if args.strength != 1.0:
            raise InputError(f"strength: got {args.strength:g} without an emotion; give --emotion, or leave it out")
        if args.emotion_scale not in (None, 1.0):
            raise InputError(
                f"emotion scale: got {args.emotion_scale:g} without an emotion; give --emotion, or leave it out"
            )
        return None

    def check(self, request: EmotionCurve | None, config: EMOConfig) -> None:
        if request is not None:
            check_emotion(request, config)

    def describe(self, request: EmotionCurve | None) -> str | None:
        return None if request is None else str(request)

    def prepare(self, request: EmotionCurve | None, scene: Scene) -> Tensor | None:
        """(frames, E) of the whole video."""
        if request is None:
            return None
        strengths = torch.from_numpy(request.at_frames(scene.features.frames, scene.fps))
        return strengths[:, columns(scene.config.emotion)]

    def at_clip(self, value: Tensor, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype) -> Tensor:
        frames = torch.arange(clip.start, clip.start + config.temporal.frames).clamp(max=len(value) - 1)
        return value[frames][None].to(device, dtype)

    def draw(self, draw: Draw) -> Tensor | None:
        emotions = draw.clips.emotions
        if emotions is None:
            return None
        return emotions[draw.starts[:, None] + draw.targets][..., columns(draw.config.emotion)]

    def in_use(self, config: EMOConfig) -> bool:
        return config.emotion.layers

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module:
        return EmotionEncoder(config.emotion, ops=ops)

    def at_site(self, site: BackboneSite, features: Tensor) -> Tensor | None:
        return None if site.spatial is None else site.spatial.block.emotion(features)

    def default_scale(self, config: EMOConfig) -> float:
        return config.diffusion.emotion_scale


def columns(config: EmotionConfig) -> list[int]:
    """Columns of EXPRESSIVE that a model's layers read, in their order."""
    return [EXPRESSIVE.index(name) for name in config.names]


def check_emotion(curve: EmotionCurve, config: EMOConfig) -> EmotionCurve:
    """Return a curve that a model can follow.

    Raises:
        InputError: for a model without emotions, or an emotion that it was not trained for.
    """
    if not config.emotion.layers:
        raise InputError(
            f"emotion: {config.name} was trained without emotions; leave the emotion out, or choose the portrait model"
        )
    shown = [name for name, column in zip(EXPRESSIVE, zip(*curve.strengths, strict=True), strict=True) if any(column)]
    if strange := [name for name in shown if name not in config.emotion.trained]:
        known = ", ".join(("neutral", *config.emotion.trained))
        raise InputError(f"emotion: got {strange[0]}; {config.name} was trained for {known}")
    return curve
