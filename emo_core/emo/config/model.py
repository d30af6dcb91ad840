"""The config of a model, as its checkpoint stores it. Nothing is inferred from tensor shapes."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Annotated

from ...errors import CheckpointError
from ...face.framing import Framing
from ...fields import Between, read_fields
from .parts import (
    AudioConfig,
    BlockConfig,
    DiffusionConfig,
    EmotionConfig,
    GuideConfig,
    IdentityConfig,
    Share,
    SpeedConfig,
    TemporalConfig,
    UNetConfig,
    VAEConfig,
    Widths,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EMOConfig:
    """All settings of one EMO model."""

    name: str
    """Shown to users."""
    image_size: Annotated[int, Between(16, 4096)] = 512
    """Side of the square picture in pixels."""
    fps: Annotated[float, Between(1, 240)] = 30.0
    """Video frames per second that the model was trained at."""
    face_share: Annotated[float, Between(0.01, 1)] = 0.5
    """Height of the face box (brow to chin) over the side of the picture, in the training data."""
    face_centre: tuple[Share, Share] = (0.5, 0.5)
    """Centre of the face box, as shares of the side, in the training data."""
    locator_widths: Widths = (16, 32, 64, 128)
    """Channels of the Face Locator; each after the first halves the mask's side."""
    locator_channels: Annotated[int, Between(1, 16)] = 1
    """Channels of its mask; Hallo takes three equal ones."""
    vae: VAEConfig = field(default_factory=VAEConfig)
    unet: UNetConfig = field(default_factory=UNetConfig)
    block: BlockConfig = field(default_factory=BlockConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    speed: SpeedConfig = field(default_factory=SpeedConfig)
    emotion: EmotionConfig = field(default_factory=EmotionConfig)
    guide: GuideConfig = field(default_factory=GuideConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)

    def __post_init__(self) -> None:
        deepest = 2 ** (len(self.unet.widths) - 1)
        if self.image_size % (self.vae.factor * deepest):
            raise ValueError(f"image_size={self.image_size}: expected a multiple of {self.vae.factor * deepest}")
        if self.mask_size > self.image_size:
            raise ValueError(
                f"locator_widths={self.locator_widths}: expected no more levels than make a mask of image_size"
            )
        if self.vae.channels != self.unet.latent_channels:
            raise ValueError(
                f"the VAE makes {self.vae.channels} latent channels, the UNet takes {self.unet.latent_channels}"
            )
        if self.emotion.layers and self.block.reference != "cross":
            raise ValueError("emotion.layers is true; expected false with block.reference='concat', which has none")

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
            return read_fields(cls, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"the checkpoint's config cannot be used: {error}; it is damaged, or was written by another version of EMO"
            ) from error
