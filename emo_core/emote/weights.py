"""An emote-mini file: audio encoder, content model with the prior's decoder, and motion bank in one safetensors; its config is metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..audio.encoder import AudioEncoder, with_encoder
from ..errors import CheckpointError
from ..face.rig import FaceRig, load_rig
from ..files import atomic_path, existing_file
from .bank import PARTS, MotionBank
from .config import EmoteConfig
from .content import ContentModel
from .emotion_model import EmotionModel

EMOTE_MINI = Path(__file__).resolve().parents[2] / "models" / "emote-mini.safetensors"
FORMAT = "emote-1"
LISTED = 6
"""Keys that a message names."""
AGAIN = "download or copy the file again"


@dataclass(frozen=True, slots=True)
class EmoteModel:
    """A loaded model."""

    config: EmoteConfig
    encoder: AudioEncoder
    content: ContentModel
    emotion: EmotionModel | None
    """None in a file of the first stage."""
    bank: MotionBank
    rig: FaceRig


def load_emote(path: Path = EMOTE_MINI, *, rig: FaceRig | None = None) -> EmoteModel:
    """Load a model on the CPU.

    Args:
        path: an emote .safetensors file.
        rig: of the face; None for the pack's own.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it is no whole emote file.
    """
    path = existing_file(path, "emote", "the pack's models/emote-mini.safetensors")
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
            weights = {key: stored.get_tensor(key) for key in stored.keys()}
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"emote: {path} is no whole safetensors file ({error}); {AGAIN}") from error
    if metadata.get("format") != FORMAT or "config" not in metadata:
        raise CheckpointError(f"emote: {path} is another kind of file; give an emote .safetensors such as emote-mini")
    config = EmoteConfig.from_json(metadata["config"])
    try:
        with torch.device("meta"):
            modules = {"encoder": AudioEncoder.from_config(config.audio), "content": ContentModel(config)}
            if config.emotion_layers:
                modules["emotion"] = EmotionModel(config)
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"emote: {path} describes a network that cannot be built ({error}); {AGAIN}") from error
    arrays = {
        key.removeprefix("bank."): weights.pop(key).float().numpy() for key in list(weights) if key.startswith("bank.")
    }
    _check(path, weights, modules)
    for name, module in modules.items():
        own = {
            key.removeprefix(f"{name}."): value.float() for key, value in weights.items() if key.startswith(name + ".")
        }
        module.load_state_dict(own, assign=True)
        module.eval().requires_grad_(False)
    return EmoteModel(
        config,
        modules["encoder"],
        modules["content"],
        modules.get("emotion"),
        MotionBank.from_arrays(arrays),
        rig or load_rig(),
    )


def read_notes(path: Path) -> dict[str, str]:
    """What a file says of its licence and making.

    Raises:
        CheckpointError: if it is no safetensors file.
    """
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"emote: {path} is no whole safetensors file ({error}); {AGAIN}") from error
    return {name: text for name, text in metadata.items() if name not in ("format", "config")}


def save_emote(
    path: Path,
    config: EmoteConfig,
    encoder: AudioEncoder,
    content: ContentModel,
    bank: MotionBank,
    *,
    emotion: EmotionModel | None = None,
    notes: Mapping[str, str],
) -> None:
    """Write a model, whole or not at all, in float16.

    Args:
        path: a .safetensors file.
        config: of the content model; the encoder's shape is added.
        encoder: of the sound.
        content: with its decoder.
        bank: of motion.
        emotion: of the second stage, if it was trained.
        notes: more metadata, such as licences.
    """
    config = replace(config, audio=with_encoder(config.audio, encoder))
    if emotion is None:
        config = replace(config, emotion_layers=0)
    weights = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    weights |= {f"content.{key}": value for key, value in content.state_dict().items()}
    if emotion is not None:
        weights |= {f"emotion.{key}": value for key, value in emotion.state_dict().items()}
    weights |= {f"bank.{name}": torch.from_numpy(np.array(getattr(bank, name), np.float32)) for name in PARTS}
    weights = {key: value.detach().half().contiguous() for key, value in weights.items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, {**notes, "format": FORMAT, "config": config.to_json()})


def _check(path: Path, weights: Mapping[str, Tensor], modules: Mapping[str, nn.Module]) -> None:
    expected = {
        f"{name}.{key}": tuple(v.shape) for name, module in modules.items() for key, v in module.state_dict().items()
    }
    problems = []
    for kind, keys in (
        ("unknown", weights.keys() - expected.keys()),
        ("missing", expected.keys() - weights.keys()),
        ("misshaped", {key for key in weights.keys() & expected.keys() if tuple(weights[key].shape) != expected[key]}),
    ):
        if keys:
            more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
            problems.append(f"{len(keys)} {kind} ({', '.join(sorted(keys)[:LISTED])}{more})")
    if problems:
        raise CheckpointError(f"emote: {path} does not match its own config: {'; '.join(problems)}; {AGAIN}")
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise CheckpointError(f"emote: {path} holds numbers that are not finite; {AGAIN}")
