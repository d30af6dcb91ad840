"""wav2vec2 (transformers): waveform -> the outputs of all its layers at 50 Hz."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ..errors import CheckpointError, InputError
from .config import AudioFeaturesConfig, EncoderShape

C = TypeVar("C", bound=AudioFeaturesConfig)
BASE = Wav2Vec2Config()
LARGE_SIZE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
LARGE = Wav2Vec2Config(**LARGE_SIZE)
LARGE_LAYER_NORM = Wav2Vec2Config(**LARGE_SIZE, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
"""Public sizes, for single weight files without a config.json; lv60 and xlsr have layer norms."""
UNUSED = {"masked_spec_embed"}
"""Weights that only wav2vec2's own training uses."""


class AudioEncoder(nn.Module):
    """A frozen wav2vec2 that returns every transformer layer's output."""

    def __init__(self, net: Wav2Vec2Model) -> None:
        super().__init__()
        self.net = net
        if net.config.do_stable_layer_norm:
            # transformers 4 normalises the last layer's output in `hidden_states`, transformers 5 does not.
            net.encoder.layer_norm = _Skipped(net.encoder.layer_norm)

    @classmethod
    def from_config(cls, config: AudioFeaturesConfig) -> "AudioEncoder":
        """Build the (untrained) encoder that a checkpoint describes.

        Only its shape is read; what else transformers could be told, such as an attention implementation, is not the file's.

        Raises:
            CheckpointError: if the config is impossible, or is of another size than the features that the model reads.
        """
        shape = _shape(config.encoder, "checkpoint: its audio encoder", "download or copy the file again")
        if (shape.num_hidden_layers, shape.hidden_size) != (config.layers, config.width):
            raise CheckpointError(
                f"checkpoint: its audio encoder has {shape.num_hidden_layers} layers of width {shape.hidden_size}, its "
                f"model reads {config.layers} of width {config.width}; download or copy the file again"
            )
        return cls(Wav2Vec2Model(Wav2Vec2Config(**asdict(shape), apply_spec_augment=False))).eval()

    @property
    def layers(self) -> int:
        """Transformer layers."""
        return self.net.config.num_hidden_layers

    @property
    def width(self) -> int:
        """Width of each layer."""
        return self.net.config.hidden_size

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, S) samples at 16 kHz and unit speech level to (B, T, L, D), T = (S - 400) // 320 + 1."""
        states = self.net(waveform.to(self.net.device, self.net.dtype), output_hidden_states=True).hidden_states
        return torch.stack(states[1:], dim=2)


class _Skipped(nn.Module):
    """A layer norm that keeps its weights and does nothing."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x


def with_encoder(config: C, encoder: AudioEncoder) -> C:
    """The config of a checkpoint that ships this encoder.

    Raises:
        CheckpointError: if the encoder has a shape that no checkpoint may have.
    """
    values = {field.name: getattr(encoder.net.config, field.name) for field in fields(EncoderShape)}
    shape = _shape(json.dumps(values), "audio encoder", "give a wav2vec2 base or large")
    return replace(config, encoder=shape.to_json())


def _shape(text: str, role: str, remedy: str) -> EncoderShape:
    try:
        return EncoderShape.from_json(text)
    except ValueError as error:
        raise CheckpointError(f"{role}: its config cannot be used: {error}; {remedy}") from error


def load_encoder(path: Path, config: AudioFeaturesConfig) -> AudioEncoder:
    """Open a local wav2vec2: a transformers folder or a single .safetensors file (base or large).

    Raises:
        InputError: if there is nothing at `path`.
        CheckpointError: if it is no wav2vec2, or has another size than the model was trained with.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"audio encoder: nothing at {path}; give a local wav2vec2 folder or .safetensors file")
    try:
        net, report = _open(path)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"audio encoder: {path} cannot be opened as a wav2vec2: {error}") from error
    wrong = sorted(set(report["missing_keys"]) - UNUSED) + sorted(map(str, report["mismatched_keys"]))
    if wrong:
        raise CheckpointError(
            f"audio encoder: {path} is no whole wav2vec2: {len(wrong)} weights are missing or misshaped "
            f"({', '.join(wrong[:4])}); give a wav2vec2 base or large, and its config.json beside a single file"
        )
    encoder = AudioEncoder(net.float()).eval().requires_grad_(False)
    if (encoder.layers, encoder.width) != (config.layers, config.width):
        raise CheckpointError(
            f"audio encoder: {path} has {encoder.layers} layers of width {encoder.width}, "
            f"this model was trained with {config.layers} of width {config.width}; give that size"
        )
    return encoder


def _open(path: Path) -> tuple[Wav2Vec2Model, dict]:
    """The model, and transformers' report of missing and mismatched weights."""
    if path.is_dir():
        return Wav2Vec2Model.from_pretrained(path, local_files_only=True, output_loading_info=True)
    weights = load_file(path)
    prefix = "wav2vec2." if any(key.startswith("wav2vec2.") for key in weights) else ""
    weights = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
    config = _config_of(path, weights)
    return Wav2Vec2Model.from_pretrained(None, config=config, state_dict=weights, output_loading_info=True)


def _config_of(path: Path, weights: dict[str, Tensor]) -> Wav2Vec2Config:
    beside = path.parent / "config.json"
    if beside.is_file():
        return Wav2Vec2Config.from_json_file(beside)
    if weights["encoder.layer_norm.weight"].shape[0] == BASE.hidden_size:
        return BASE
    return LARGE_LAYER_NORM if "feature_extractor.conv_layers.0.conv.bias" in weights else LARGE
