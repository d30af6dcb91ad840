"""The config of a model, as its checkpoint stores it. Nothing is inferred from tensor shapes."""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from ...errors import CheckpointError
from ...face.framing import Framing
from .parts import (
    AudioConfig,
    BlockConfig,
    DiffusionConfig,
    IdentityConfig,
    SpeedConfig,
    TemporalConfig,
    UNetConfig,
    VAEConfig,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EMOConfig:
    """All settings of one EMO model."""

    name: str
    """Shown to users."""
    image_size: int = 512
    """Side of the square picture in pixels."""
    fps: float = 30.0
    """Video frames per second that the model was trained at."""
    face_share: float = 0.5
    """Height of the face box (brow to chin) over the side of the picture, in the training data."""
    face_centre: tuple[float, float] = (0.5, 0.5)
    """Centre of the face box, as shares of the side, in the training data."""
    locator_widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of the Face Locator; each after the first halves the mask's side."""
    locator_channels: int = 1
    """Channels of its mask; Hallo takes three equal ones."""
    vae: VAEConfig = field(default_factory=VAEConfig)
    unet: UNetConfig = field(default_factory=UNetConfig)
    block: BlockConfig = field(default_factory=BlockConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    speed: SpeedConfig = field(default_factory=SpeedConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)

    def __post_init__(self) -> None:
        deepest = 2 ** (len(self.unet.widths) - 1)
        if self.image_size % (self.vae.factor * deepest):
            raise ValueError(f"image_size={self.image_size}: expected a multiple of {self.vae.factor * deepest}")
        if self.vae.channels != self.unet.latent_channels:
            raise ValueError(
                f"the VAE makes {self.vae.channels} latent channels, the UNet takes {self.unet.latent_channels}"
            )

    @property
    def framing(self) -> Framing:
        """Where the face is in the training data's square pictures."""
        return Framing(self.face_share, self.face_centre)

    @property
    def latent_size(self) -> int:
        """Side of a latent."""
        return self.image_size // self.vae.factor

    @property
    def mask_size(self) -> int:
        """Side of the face-region mask that the Face Locator takes."""
        return self.latent_size * 2 ** (len(self.locator_widths) - 1)

    def to_json(self) -> str:
        """Write the config as JSON for a checkpoint's metadata."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "EMOConfig":
        """Read what `to_json` wrote.

        Raises:
            CheckpointError: for unknown or impossible fields; a missing field takes its default.
        """
        try:
            return _build(cls, json.loads(text))
        except (AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint's config cannot be read: {error}; it was written by another version of EMO"
            ) from error


def _build(kind: Any, value: Any) -> Any:
    """Turn plain JSON back into nested dataclasses and tuples."""
    if not dataclasses.is_dataclass(kind):
        is_tuple = typing.get_origin(kind) is tuple or isinstance(kind, types.GenericAlias)
        return tuple(value) if is_tuple else value
    hints = typing.get_type_hints(kind)
    unknown = set(value) - set(hints)
    if unknown:
        raise ValueError(f"unknown fields {sorted(unknown)} in {kind.__name__}")
    return kind(**{name: _build(hints[name], item) for name, item in value.items()})
