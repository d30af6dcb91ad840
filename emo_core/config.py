"""The shape of a model as frozen dataclasses, with the presets `tiny`, `mini` and `sd15`.

A checkpoint carries its `EMOConfig` as JSON, so nothing is ever guessed from tensor shapes.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .errors import CheckpointError

EMO_MINI = Path(__file__).resolve().parents[1] / "models" / "emo-mini.safetensors"
"""The embedded default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEConfig:
    """The picture autoencoder."""

    kind: Literal["tiny", "kl"] = "kl"
    """diffusers' AutoencoderTiny or AutoencoderKL."""
    widths: tuple[int, ...] = (128, 256, 512, 512)
    """Channels per level, finest first; each level after the first halves the side."""
    encoder_blocks: tuple[int, ...] = ()
    """Residual blocks per level (tiny only)."""
    decoder_blocks: tuple[int, ...] = ()
    """Residual blocks per level, coarsest first (tiny only)."""
    latent_channels: int = 4
    """Channels of a latent, before folding."""
    patch: int = 1
    """Pictures are folded patch x patch into channels before the network."""
    fold: int = 1
    """Latents are folded fold x fold into channels after the network: a coarser grid of wider latents."""
    scaling_factor: float = 0.18215
    """Latents are multiplied by this so that their variance is about one."""

    @property
    def factor(self) -> int:
        """Picture side over latent side."""
        return self.patch * self.fold * 2 ** (len(self.widths) - 1)

    @property
    def channels(self) -> int:
        """Channels of a latent as the UNet sees it."""
        return self.latent_channels * self.fold**2


@dataclass(frozen=True, kw_only=True, slots=True)
class UNetConfig:
    """The SD 1.5 UNet skeleton that Backbone and ReferenceNet share."""

    latent_channels: int = 4
    """Channels of the latents that go in and come out."""
    widths: tuple[int, ...] = (320, 640, 1280, 1280)
    """Channels per level, finest first."""
    attention: tuple[bool, ...] = (True, True, True, False)
    """Which levels have spatial transformers."""
    layers_per_block: int = 2
    """Residual blocks per down level; an up level has one more."""
    heads: int = 8
    """Attention heads everywhere; the head width is the level's width over this."""
    groups: int = 32
    """Groups of every GroupNorm."""

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.attention):
            raise ValueError(f"widths {self.widths} and attention {self.attention} must name the same levels")
        for width in self.widths:
            if width % self.heads or width % self.groups:
                raise ValueError(f"width {width} must be a multiple of heads={self.heads} and groups={self.groups}")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockConfig:
    """One transformer block of the Backbone: what it attends to, and how wide.

    Kinds of reference or audio attention that other models have are fields to add here.
    """

    width: int
    """Channels of its site."""
    heads: int
    """Attention heads."""
    audio_width: int
    """Width of an audio token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioConfig:
    """Audio features, their window and the tokens that the audio layers attend to (paper section 3.2)."""

    layers: int = 12
    """Transformer layers of wav2vec whose outputs are concatenated into A(f)."""
    width: int = 768
    """Width of each of those outputs."""
    window: int = 2
    """m: a frame sees the features of frames f-m .. f+m."""
    tokens: int = 32
    """Tokens per frame after the projection."""
    token_width: int = 768
    """Width of a token."""
    hidden: int = 512
    """Width inside the projection."""
    encoder: str = ""
    """JSON of the transformers Wav2Vec2Config where the checkpoint ships its encoder, else empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TemporalConfig:
    """The temporal modules (AnimateDiff's layout)."""

    frames: int = 12
    """f: frames generated together."""
    motion_frames: int = 4
    """n: last frames of the previous clip, put before the f frames."""
    max_positions: int = 32
    """Rows of the sinusoidal position table; n + f may not exceed it."""

    def __post_init__(self) -> None:
        if not 0 < self.motion_frames < self.frames or self.motion_frames + self.frames > self.max_positions:
            raise ValueError(
                f"motion_frames={self.motion_frames}, frames={self.frames}: expected 0 < n < f and "
                f"n + f <= max_positions={self.max_positions}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedConfig:
    """The speed layers: d buckets of head rotation speed (paper section 3.2)."""

    centres: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    """c_d in `unit`."""
    radii: tuple[float, ...] = (0.25,) * 9
    """r_d in `unit`."""
    unit: str = "degrees per frame"
    """What one unit of speed is: head rotation between successive frames at the model's frame rate."""
    window: int = 2
    """m: a frame sees the speeds of frames f-m .. f+m."""
    width: int = 256
    """Width of a speed feature after the MLP."""

    def __post_init__(self) -> None:
        if len(self.centres) != len(self.radii) or any(radius <= 0 for radius in self.radii):
            raise ValueError(f"centres {self.centres} and radii {self.radii}: one positive radius per centre")

    @property
    def range(self) -> tuple[float, float]:
        """Slowest and fastest speed that the buckets tell apart."""
        return self.centres[0], self.centres[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig:
    """Parametrisation and noise schedule, and the sampling defaults that fit them."""

    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    """What the network predicts."""
    beta_schedule: Literal["linear", "scaled_linear"] = "scaled_linear"
    """The betas before rescaling, from `beta_start` to `beta_end`."""
    beta_start: float = 0.00085
    beta_end: float = 0.012
    zero_terminal_snr: bool = False
    """Rescale the betas so that the last timestep is pure noise (arXiv 2305.08891); needs v_prediction."""
    train_timesteps: int = 1000
    """T."""
    shared_noise: float = 0.0
    """Share of the noise variance that all frames of a video have in common (arXiv 2305.10474, mixed noise)."""
    reference_scale: float = 1.0
    """Default guidance for the reference."""
    audio_scale: float = 3.5
    """Default guidance for the audio."""

    def __post_init__(self) -> None:
        if self.zero_terminal_snr and self.prediction != "v_prediction":
            raise ValueError("zero_terminal_snr needs prediction='v_prediction': epsilon says nothing at pure noise")
        if not 0 <= self.shared_noise < 1:
            raise ValueError(f"shared_noise={self.shared_noise}: expected 0 <= share < 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class EMOConfig:
    """One EMO model, whole."""

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
    vae: VAEConfig = field(default_factory=VAEConfig)
    unet: UNetConfig = field(default_factory=UNetConfig)
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
            CheckpointError: on unknown or impossible fields; fields that a newer version added take their defaults.
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


SD15 = EMOConfig(name="sd15")
"""The paper's size on Stable Diffusion 1.5: 512 x 512, f=12, n=4, m=2."""

MINI = EMOConfig(
    name="emo-mini",
    image_size=256,
    fps=25.0,
    face_share=0.54,
    face_centre=(0.5, 0.57),
    locator_widths=(16, 32, 64),
    vae=VAEConfig(
        kind="tiny",
        widths=(80, 80),
        encoder_blocks=(0, 3),
        decoder_blocks=(3, 1),
        patch=4,
        fold=2,
        scaling_factor=1.0,
    ),
    unet=UNetConfig(
        latent_channels=16, widths=(64, 128), attention=(True, True), layers_per_block=1, heads=2, groups=32
    ),
    audio=AudioConfig(layers=4, width=128, tokens=8, token_width=128, hidden=256),
    speed=SpeedConfig(centres=(0.0, 0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64), radii=(0.08,) * 9, width=64),
    diffusion=DiffusionConfig(prediction="v_prediction", zero_terminal_snr=True, shared_noise=0.5, audio_scale=2.0),
)
"""The embedded default: 256 x 256, small enough for two CPU cores."""

TINY = replace(
    MINI,
    name="tiny",
    image_size=64,
    locator_widths=(8, 16),
    vae=replace(MINI.vae, widths=(16, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), fold=1),
    unet=UNetConfig(widths=(32, 64), attention=(True, False), layers_per_block=1, heads=4, groups=8),
    audio=AudioConfig(layers=2, width=16, tokens=4, token_width=24, hidden=32),
    temporal=TemporalConfig(frames=4, motion_frames=2, max_positions=16),
    speed=SpeedConfig(centres=(0.0, 0.5, 1.0), radii=(0.5, 0.5, 0.5), width=16),
)
"""For tests: real modules, random weights, milliseconds."""

PRESETS = {"tiny": TINY, "mini": MINI, "sd15": SD15}
