"""The parts of a model's shape: autoencoder, UNet, audio, identity, temporal modules, speed, emotion, guide, diffusion."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ...audio.config import AudioFeaturesConfig, Count, Width
from ...emotion import EXPRESSIVE
from ...fields import Between, Items

Widths = Annotated[tuple[Width, ...], Items(1, 6)]
"""Channels per level."""
Share = Annotated[float, Between(0, 1)]
Scale = Annotated[float, Between(0, 100)]
"""Of guidance and strengths."""
Radius = Annotated[int, Between(0, 32)]
"""Frames on each side of a window."""
Beta = Annotated[float, Between(1e-6, 0.1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEConfig:
    """The picture autoencoder."""

    kind: Literal["tiny", "kl"] = "kl"
    """tiny: plain convolutions, of emo-mini. kl: Stable Diffusion 1.5's."""
    widths: Widths = (128, 256, 512, 512)
    """Channels per level, finest first; each level after the first halves the side. All alike (tiny), or multiples of 32 (kl)."""
    encoder_blocks: tuple[Annotated[int, Between(0, 16)], ...] = ()
    """Residual blocks per level (tiny only)."""
    decoder_blocks: tuple[Annotated[int, Between(0, 16)], ...] = ()
    """Residual blocks per level, coarsest first (tiny only)."""
    latent_channels: Annotated[int, Between(1, 256)] = 4
    """Channels of a latent, before folding."""
    patch: Annotated[int, Between(1, 16)] = 1
    """Pictures are folded patch x patch into channels before the network."""
    fold: Annotated[int, Between(1, 8)] = 1
    """Latents are folded fold x fold into channels after the network: a coarser grid of wider latents."""
    scaling_factor: Annotated[float, Between(1e-6, 1e6)] = 0.18215
    """Latents are multiplied by this so that their variance is about one."""
    guide_width: Annotated[int, Between(0, 256)] = 0
    """Channels of the features of a guide picture that the decoder reads beside the latents (tiny only); 0: it reads none."""
    guide_detail: Annotated[float, Between(0, 16)] = 0.0
    """Standard deviation in pixels of a low pass: what a decoded picture adds to its guide is no finer; 0: no low pass."""

    def __post_init__(self) -> None:
        if self.guide_width and self.kind != "tiny":
            raise ValueError(f"guide_width={self.guide_width}: expected 0 with kind={self.kind!r}")
        if self.kind == "tiny" and len(set(self.widths)) != 1:
            raise ValueError(f"widths {self.widths}: expected equal ones with kind='tiny'")
        if self.kind == "tiny" and not len(self.widths) == len(self.encoder_blocks) == len(self.decoder_blocks):
            raise ValueError(
                f"widths {self.widths}, encoder_blocks {self.encoder_blocks} and decoder_blocks {self.decoder_blocks} must "
                "name the same levels with kind='tiny'"
            )

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

    latent_channels: Annotated[int, Between(1, 16384)] = 4
    """Channels of the latents that go in and come out."""
    widths: Widths = (320, 640, 1280, 1280)
    """Channels per level, finest first."""
    attention: tuple[bool, ...] = (True, True, True, False)
    """Which levels have spatial transformers."""
    layers_per_block: Annotated[int, Between(1, 8)] = 2
    """Residual blocks per down level; an up level has one more."""
    heads: Count = 8
    """Attention heads everywhere; the head width is the level's width over this."""
    groups: Annotated[int, Between(1, 256)] = 32
    """Groups of every GroupNorm."""

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.attention):
            raise ValueError(f"widths {self.widths} and attention {self.attention} must name the same levels")
        for width in self.widths:
            if width % self.heads or width % self.groups:
                raise ValueError(f"width {width} must be a multiple of heads={self.heads} and groups={self.groups}")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockConfig:
    """The attention layers of the UNets' transformer blocks. The defaults are the paper's; peers differ."""

    reference: Literal["cross", "concat"] = "cross"
    """cross: a layer of its own after self-attention (the paper). concat: the reference's tokens join self-attention's keys and
    values (Hallo, Moore-AnimateAnyone)."""
    tap: Literal["attention", "norm1"] = "attention"
    """Output of ReferenceNet: the output of its self-attention, normalised (the paper); or that layer's input, which also
    serves as motion maps (Hallo)."""
    audio: Literal["inline", "regions"] = "inline"
    """inline: a layer of the block (the paper). regions: a second transformer after it, with a head each for the whole picture,
    the face and the lips (Hallo)."""
    identity: bool = False
    """Whether self-attention is followed by attention to identity tokens (see `IdentityConfig`)."""

    def __post_init__(self) -> None:
        if (self.reference == "concat") != (self.tap == "norm1"):
            raise ValueError(
                f"reference={self.reference!r} and tap={self.tap!r}: expected cross/attention or concat/norm1"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityConfig:
    """Identity tokens from a face embedding (Hallo); the paper has none."""

    embedding: Width = 512
    """Width of the face embedding (insightface)."""
    tokens: Count = 4
    width: Width = 768
    """Of a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioConfig(AudioFeaturesConfig):
    """Audio features, their window and the tokens that the audio layers attend to (paper section 3.2)."""

    tokens: Annotated[int, Between(1, 512)] = 32
    """Tokens per frame after the projection."""
    token_width: Width = 768
    """Width of a token."""
    hidden: Width = 512
    """Width inside the projection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TemporalConfig:
    """The temporal modules (AnimateDiff's layout)."""

    frames: Annotated[int, Between(2, 128)] = 12
    """f: frames generated together."""
    motion_frames: Annotated[int, Between(1, 128)] = 4
    """n: last frames of the previous clip, put before the f frames."""
    max_positions: Annotated[int, Between(3, 128)] = 32
    """Rows of the sinusoidal position table; n + f may not exceed it."""
    everywhere: bool = True
    """False: only beside spatial transformers. Hallo's coarsest level has none that ever run."""
    first_clip: Literal["zero", "reference"] = "zero"
    """Motion frames of the first clip: zero maps (the paper), or the portrait (Hallo)."""
    anchor: float = 0.0
    """Share of the portrait's latent in the motion frames when sampling: it pulls a long video of a small model back to the
    portrait. The paper has none."""

    def __post_init__(self) -> None:
        if not 0 < self.motion_frames < self.frames or self.motion_frames + self.frames > self.max_positions:
            raise ValueError(
                f"motion_frames={self.motion_frames}, frames={self.frames}: expected 0 < n < f and "
                f"n + f <= max_positions={self.max_positions}"
            )
        if not 0 <= self.anchor < 1:
            raise ValueError(f"anchor={self.anchor}: expected 0 <= share < 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedConfig:
    """The speed layers: d buckets of head rotation speed (paper section 3.2)."""

    centres: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    """c_d in `unit`."""
    radii: tuple[float, ...] = (0.25,) * 9
    """r_d in `unit`."""
    unit: str = "degrees per frame"
    """Unit of speed: head rotation between successive frames at the model's frame rate."""
    window: Radius = 2
    """m: a frame reads the speeds of frames f-m .. f+m."""
    width: Width = 256
    """Width of a speed feature after the MLP."""
    layers: bool = True
    """False: the model has no speed layers."""
    strength: Scale = 1.0
    """Factor on the output of the speed layers. Two denoising steps of a small model show less of it than forty."""

    def __post_init__(self) -> None:
        if not self.centres or len(self.centres) != len(self.radii) or any(radius <= 0 for radius in self.radii):
            raise ValueError(f"centres {self.centres} and radii {self.radii}: one positive radius per centre")

    @property
    def range(self) -> tuple[float, float]:
        """Slowest and fastest speed that the buckets tell apart."""
        return self.centres[0], self.centres[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmotionConfig:
    """The emotion layers: strengths of emotions per frame; the paper has none."""

    layers: bool = False
    """Whether the model has them."""
    names: tuple[str, ...] = EXPRESSIVE
    """Emotions that the layers read, in the order of their inputs; neutral is zero in all of them."""
    trained: tuple[str, ...] = ()
    """Those of them that the training data showed; others are refused."""
    width: Width = 64
    """Width of an emotion feature after the MLP."""

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) < len(self.names) or not set(self.names) <= set(EXPRESSIVE):
            raise ValueError(f"names {self.names}: expected some of {', '.join(EXPRESSIVE)}, each once")
        if not set(self.trained) <= set(self.names):
            raise ValueError(f"trained {self.trained}: expected some of the names {', '.join(self.names)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GuideConfig:
    """The guide: drawn frames that the network repairs; the paper has none."""

    layers: bool = False
    """Whether the model has one. Diffusion then runs on the residual (latent - guide) / scale."""
    scale: Annotated[float, Between(1e-3, 100)] = 1.0
    """Standard deviation of latent - guide in the training data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig:
    """Parametrisation and noise schedule, and the sampling defaults that fit them."""

    prediction: Literal["epsilon", "v_prediction", "sample"] = "epsilon"
    """Output of the network: the noise e, v = a e - s x_0, or the clean x_0."""
    beta_schedule: Literal["linear", "scaled_linear"] = "scaled_linear"
    """The betas before rescaling, from `beta_start` to `beta_end`."""
    beta_start: Beta = 0.00085
    beta_end: Beta = 0.012
    zero_terminal_snr: bool = False
    """Rescale the betas so that the last timestep is pure noise (arXiv 2305.08891); needs v_prediction or sample."""
    train_timesteps: Annotated[int, Between(200, 10_000)] = 1000
    """T."""
    shared_noise: float = 0.0
    """Share of the noise variance that all frames of a video have in common (arXiv 2305.10474, mixed noise)."""
    guidance: Literal["separate", "joint"] = "separate"
    """separate: reference, audio and emotion each have a pass without them. joint: one pass without any condition (Hallo); the audio scale
    is its scale."""
    reference_scale: Scale = 1.0
    """Default guidance for the reference."""
    audio_scale: Scale = 3.5
    """Default guidance for the audio."""
    emotion_scale: Scale = 1.0
    """Default guidance for the emotion, of models with emotion layers."""
    steps: Annotated[int, Between(1, 200)] = 40
    """Default denoising steps: the paper's; distilled models need fewer."""

    def __post_init__(self) -> None:
        if self.zero_terminal_snr and self.prediction == "epsilon":
            raise ValueError(
                "zero_terminal_snr needs prediction='v_prediction' or 'sample': epsilon carries no signal at pure noise"
            )
        if not 0 <= self.shared_noise < 1:
            raise ValueError(f"shared_noise={self.shared_noise}: expected 0 <= share < 1")
