"""Guide: frames that another program drew, which the network repairs; the paper has none.

Value: (B, F, C, h, w) latents of the drawn frames, or (B, 1, C, h, w) for one guide in all frames. Diffusion runs on the difference from
it, and a model that learned so says nothing without it.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import InputError
from ..config import EMOConfig
from ..models.attention import Layers
from ..models.guide_layers import GuideEncoder
from ..models.guide_pictures import Guide
from ..sampling.clips import Clip
from .clip import Conditions
from .condition import Condition, Scene
from .drawing import Draw

NEEDED = "guide: {name} repairs drawn frames, and got none; give frames that a face motion draws, or use emo-mini"


class FrameSource(Protocol):
    """Draws the frames of a video when its portrait is known."""

    def __call__(self, scene: Scene) -> Iterable[np.ndarray]:
        """Pictures (S, S, 3) uint8 in the model's square, one per frame.

        Raises:
            InputError: if the portrait cannot be drawn.
        """
        ...

    def describe(self) -> Any:
        """How, as JSON for the video's metadata."""
        ...


class GuideFrames:
    """Drawn frames of a whole video. They are read and encoded clip by clip, so that memory does not grow with its length.

    Clips are asked for in their order. The last clip that was asked for stays, because the decoder needs its pictures.
    """

    def __init__(self, frames: Iterable[np.ndarray], scene: Scene) -> None:
        """Take an iterator or an array of pictures (S, S, 3) uint8 in the model's square, S its side. Nothing is read yet."""
        self._frames, self._encode, self._size = iter(frames), scene.encode, scene.config.image_size
        self._clip, self._next = -1, 0
        self._guide: Guide | None = None

    def of_clip(self, clip: Clip) -> Guide:
        """The frames kept of a clip.

        Raises:
            InputError: for a clip before the last one, or frames that end early or are of another size.
        """
        if clip.index != self._clip:
            self._guide = self._read(clip)
        return self._guide

    def latents(self, clip: Clip, frames: int) -> Tensor:
        """(frames, C, h, w), the last one repeated behind the video's end; see `of_clip` for errors."""
        latents = self.of_clip(clip).latents
        return latents[torch.arange(frames).clamp(max=len(latents) - 1)]

    def _read(self, clip: Clip) -> Guide:
        if clip.start != self._next:
            raise InputError(
                f"guide: clip {clip.index} was asked for out of turn; give the frames again from the beginning"
            )
        pictures = [self._checked(picture) for picture in islice(self._frames, clip.stop - clip.start)]
        if len(pictures) < clip.stop - clip.start:
            raise InputError(
                f"guide: the frames end at {clip.start + len(pictures)}, the sound goes on; give one for each frame of the video"
            )
        self._clip, self._next = clip.index, clip.stop
        return Guide(np.stack(pictures), torch.stack([self._encode(part) for part in pictures]))

    def _checked(self, picture: np.ndarray) -> np.ndarray:
        shape = (self._size, self._size, 3)
        if picture.shape != shape or picture.dtype != np.uint8:
            raise InputError(
                f"guide: got a frame of shape {picture.shape}, {picture.dtype}; expected {shape}, uint8: draw it in the model's square"
            )
        return picture


class GuideCondition(Condition):
    """Drawn frames."""

    name = "guide"
    module_name = "guide_encoder"

    def check(self, request: FrameSource | Iterable[np.ndarray] | None, config: EMOConfig) -> None:
        if request is not None and not config.guide.layers:
            raise InputError(f"guide: {config.name} takes no drawn frames; leave them out")

    def describe(self, request: FrameSource | Iterable[np.ndarray] | None) -> Any:
        return request.describe() if callable(request) else None

    def prepare(self, request: FrameSource | Iterable[np.ndarray] | None, scene: Scene) -> GuideFrames:
        """Of the drawn frames (S, S, 3) uint8 of the whole video: an iterator or an array, or their source.

        Raises:
            InputError: if there are none.
        """
        if request is None:
            raise InputError(NEEDED.format(name=scene.config.name))
        return GuideFrames(request(scene) if callable(request) else request, scene)

    def at_clip(
        self, value: GuideFrames, clip: Clip, config: EMOConfig, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        return value.latents(clip, config.temporal.frames)[None].to(device, dtype)

    def draw(self, draw: Draw) -> Tensor | None:
        guides = draw.clips.guides
        return None if guides is None else guides[draw.starts[:, None] + draw.targets].float()

    def in_use(self, config: EMOConfig) -> bool:
        return config.guide.layers

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module:
        return GuideEncoder(config.unet.latent_channels, config.unet.widths[0], ops=ops)

    def added_map(self, features: Any) -> Tensor:
        return features


def guide_of(conditions: Conditions, config: EMOConfig) -> Tensor | None:
    """(B, F or 1, C, h, w) the latents whose residual a model denoises; None for a model without a guide.

    Raises:
        InputError: if a model with a guide gets none.
    """
    if not config.guide.layers:
        return None
    value = conditions[GuideCondition.name]
    if value is None:
        raise InputError(NEEDED.format(name=config.name))
    return value
