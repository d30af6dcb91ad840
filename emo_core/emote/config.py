"""What an emote-mini file says about itself."""

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated

from ..audio.config import AudioFeaturesConfig
from ..errors import CheckpointError
from ..face.coefficients import MOUTH
from ..fields import Between, Items, read_fields

FPS = 25.0
"""Frames per second at which the model works."""
Width = Annotated[int, Between(4, 4096)]
Name = Annotated[tuple[str, ...], Items(1, 64)]
Depth = Annotated[int, Between(0, 12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmoteConfig:
    """Shapes and names of an emote-mini."""

    audio: AudioFeaturesConfig = field(default_factory=AudioFeaturesConfig)
    mel_bands: Annotated[int, Between(4, 256)] = 40
    """Bands of the log-mel spectrum that is read beside the encoder's features."""
    mel_window: Annotated[int, Between(0, 32)] = 5
    """A frame reads the spectrum of so many frames on each side."""
    curves: Name = MOUTH
    """Coefficients that speech moves."""
    styles: Name = ("average",)
    """Ways of speaking to choose from; the first is the default."""
    patch: Annotated[int, Between(1, 16)] = 4
    """Frames of one latent."""
    latent: Width = 48
    """Width of a latent."""
    prior_width: Width = 64
    prior_heads: Annotated[int, Between(1, 16)] = 4
    width: Width = 96
    """Of the residual transformer."""
    heads: Annotated[int, Between(1, 16)] = 8
    layers: Depth = 2
    closing_width: Width = 32
    """Of the hidden layer that tells when lips meet."""
    style_width: Width = 16
    free_width: Width = 16
    """Width of the free vector of a training film; it is zero at use."""
    emotion_layers: Depth = 0
    """Transformer layers of the emotion model; 0 for a model without one."""
    emotion_width: Width = 64
    """Of each half of its stream: sound, and emotion with style."""
    emotion_heads: Annotated[int, Between(1, 16)] = 8
    emotion_latent: Width = 48

    def __post_init__(self) -> None:
        for name, width, heads in (
            ("prior_heads", self.prior_width, self.prior_heads),
            ("heads", self.width, self.heads),
            ("emotion_heads", 2 * self.emotion_width, self.emotion_heads),
        ):
            if width % heads:
                raise ValueError(f"{name}={heads}: expected a divisor of {width}")

    @property
    def inputs(self) -> int:
        """Numbers that the content model reads at a frame, see `listening`."""
        heard = (2 * self.audio.window + 1) * self.audio.layers * self.audio.width
        return heard + (2 * self.mel_window + 1) * self.mel_bands

    @classmethod
    def from_json(cls, text: str) -> "EmoteConfig":
        """Read a config.

        Raises:
            CheckpointError: for mistyped or impossible fields.
        """
        try:
            return read_fields(cls, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"emote: the file's config cannot be used ({error}); download or copy the file again"
            ) from error

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps(asdict(self))
