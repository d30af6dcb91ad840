"""One condition, from the command line to the network."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...audio.features import FrameFeatures
from ...face.crop import Crop
from ...face.detect import Face
from ..config import EMOConfig
from ..models.attention import Layers
from ..models.backbone import BackboneSite
from ..sampling.clips import Clip
from .drawing import Draw

AddOption = Callable[..., argparse.Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The opened inputs of one video, from which conditions are prepared."""

    config: EMOConfig
    image: np.ndarray
    """(H, W, 3) uint8, the whole portrait."""
    face: Face | None
    """In the portrait's pixels; None for the whole picture."""
    crop: Crop
    """The square that the model animates."""
    features: FrameFeatures
    """Audio features of every frame."""
    fps: float
    encode: Callable[[np.ndarray], Tensor]
    """A picture (S, S, 3) uint8 to a latent (C, h, w)."""


class Condition:
    """One condition. A subclass overrides the steps that it takes; the others do nothing.

    Command line: `add_options`, `read_options`, `check`. A video: `prepare`, `at_clip`. A training batch: `draw`.
    The network: `build`, `encode`, `without`, then `at_site` or `added_map`. Guidance: `guided`, `default_scale`.
    """

    name: str
    module_name: str = ""
    """Attribute of `EMO` that holds the encoder which `build` makes."""
    guided = False
    """Whether a guidance scale applies: a second pass leaves the condition out."""
    droppable = False
    """Whether training drops it clip by clip, as zero tokens."""
    layer_droppable = False
    """Whether training leaves its layers out, for whole batches."""

    def add_options(self, add: AddOption) -> None:
        """Add the options of the command line."""

    def read_options(self, args: argparse.Namespace) -> Any:
        """The request of the user; None is none."""

    def check(self, request: Any, config: EMOConfig) -> None:
        """Refuse a request before anything large is loaded.

        Raises:
            InputError: if the model cannot follow it.
        """

    def describe(self, request: Any) -> Any:
        """The request as JSON for the video's metadata; None is left out."""

    def prepare(self, request: Any, scene: Scene) -> Any:
        """The value for the whole video; None leaves the condition out."""

    def at_clip(self, value: Any, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype) -> Any:
        """The value for one clip, with a batch of one: the network's input."""
        return value[None].to(device, dtype)

    def draw(self, draw: Draw) -> Tensor | None:
        """The network's input for a training batch; None if the clips have none."""

    def in_use(self, config: EMOConfig) -> bool:
        """Whether a model has this condition."""
        return True

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module | None:
        """The encoder of the condition."""

    def missing(self, reference: Tensor, config: EMOConfig) -> Any:
        """The network's input if a batch has none; None leaves the condition's layers out. `reference` is (B, C, h, w)."""

    def encode(self, encoder: nn.Module | None, value: Any) -> Any:
        """The network's input to features, once per clip."""
        return value if encoder is None else encoder(value)

    def without(self, encoder: nn.Module | None, features: Any) -> Any:
        """Features of the dropped condition, for joint guidance."""
        return torch.zeros_like(features)

    def at_site(self, site: BackboneSite, features: Any) -> Any:
        """Features to the keys and values of one site; None if the site has no such layer."""

    def added_map(self, features: Any) -> Tensor | None:
        """Features to a map (B, C0, H, W) or (B, F, C0, H, W), or one that broadcasts to it, added after the first convolution."""

    def default_scale(self, config: EMOConfig) -> float:
        """The checkpoint's guidance scale; 1 is off."""
        return 1.0
