"""Shape of the audio features that a model reads, and of the encoder that makes them."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from ..fields import Between, Items, read_fields

Width = Annotated[int, Between(1, 8192)]
Count = Annotated[int, Between(1, 64)]
Kernel = Annotated[int, Between(1, 1024)]
PerConvolution = Items(1, 16)
HOP = 320
"""Samples between two wav2vec features: 50 Hz."""
FIELD = 400
"""Receptive field of one feature in wav2vec's convolutions, in samples."""
Activation = Literal["gelu", "gelu_new", "relu", "selu"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFeaturesConfig:
    """The encoder's layers, and the window of frames around each video frame."""

    layers: Count = 12
    """Transformer layers of wav2vec whose outputs are read."""
    width: Width = 768
    """Width of each of those outputs."""
    window: Annotated[int, Between(0, 32)] = 2
    """m: a frame reads the features of frames f-m .. f+m."""
    encoder: str = ""
    """JSON of an `EncoderShape` if the checkpoint ships its encoder, else empty. Files written by the first version have all
    fields of a transformers Wav2Vec2Config."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderShape:
    """The fields of a transformers Wav2Vec2Config that decide which weights it has and how they act. Defaults: wav2vec2 base."""

    hidden_size: Width = 768
    num_hidden_layers: Count = 12
    num_attention_heads: Count = 12
    intermediate_size: Annotated[int, Between(1, 32768)] = 3072
    hidden_act: Activation = "gelu"
    layer_norm_eps: Annotated[float, Between(1e-12, 0.1)] = 1e-5
    do_stable_layer_norm: bool = False
    feat_extract_norm: Literal["group", "layer"] = "group"
    feat_extract_activation: Activation = "gelu"
    conv_bias: bool = False
    conv_dim: Annotated[tuple[Width, ...], PerConvolution] = (512,) * 7
    conv_kernel: Annotated[tuple[Kernel, ...], PerConvolution] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: Annotated[tuple[Kernel, ...], PerConvolution] = (5, 2, 2, 2, 2, 2, 2)
    num_conv_pos_embeddings: Kernel = 128
    num_conv_pos_embedding_groups: Kernel = 16
    mask_time_prob: Annotated[float, Between(0, 1)] = 0.05
    """Above 0 there is a weight, `masked_spec_embed`, that nothing reads here."""
    mask_feature_prob: Annotated[float, Between(0, 1)] = 0.0

    def __post_init__(self) -> None:
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride):
            raise ValueError("conv_dim, conv_kernel and conv_stride: expected as many items each")
        field = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=True):
            field = (field - 1) * stride + kernel
        hop = math.prod(self.conv_stride)
        if (hop, field) != (HOP, FIELD):
            raise ValueError(
                f"conv_kernel, conv_stride: got a step of {hop} samples that reads {field}; expected {HOP} and {FIELD}"
            )
        for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if self.hidden_size % getattr(self, name):
                raise ValueError(f"hidden_size={self.hidden_size}: expected a multiple of {name}={getattr(self, name)}")

    @classmethod
    def from_json(cls, text: str) -> "EncoderShape":
        """Read a config. Fields without a place here are left out: dropout, training, versions, attention implementation.

        Raises:
            ValueError: for mistyped or impossible fields.
        """
        return read_fields(cls, _loads(text), only_known=False)

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps(asdict(self), sort_keys=True)


def _loads(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
