"""Checkpoints: one safetensors file holds EMO and, optionally, its VAE and audio encoder; the config is in its metadata."""

import dataclasses
import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ...audio.encoder import AudioEncoder
from ...errors import CheckpointError, InputError
from ...files import atomic_path, existing_file, file_digest
from ..config import EMOConfig
from ..models.attention import TORCH, Layers
from ..models.emo import EMO
from ..models.vae import VAE

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Precisions by their names on the command line."""
FORMAT = "emo-1"
"""Metadata `format`; a file of another format is refused."""
MAX_LISTED_KEYS = 8
"""Number of keys of each kind in an error message."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model."""

    path: Path
    config: EMOConfig
    emo: EMO
    vae: VAE | None
    audio_encoder: AudioEncoder | None


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """Description of a file, read without loading its weights."""

    config: EMOConfig
    metadata: dict[str, str]
    parameters: dict[str, int]
    """Parameters per part."""
    dtypes: tuple[str, ...]
    size: int
    """Bytes on disk."""
    sha256: str


def load_checkpoint(
    path: Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    vae_dtype: torch.dtype | None = None,
    ops: Layers = TORCH,
) -> Checkpoint:
    """Load a model. Unknown, missing and misshaped keys are errors.

    The audio encoder is always float32.

    Args:
        path: a .safetensors file.
        device: of the weights.
        dtype: of EMO's weights.
        vae_dtype: of the VAE's weights; None for `dtype`, except float32 instead of float16 on the CPU, whose float16 is slow.
        ops: classes of the layers of EMO and its VAE.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it is not a whole EMO checkpoint.
    """
    path = Path(path)
    metadata = read_metadata(path)
    config = EMOConfig.from_json(metadata["config"])
    weights = _read(path)
    parts = {key.partition(".")[0] for key in weights}
    device = torch.device(device)
    modules = _build(path, config, parts, ops)
    # A host's layers may have no weights before they are loaded; torch's own layers give the expected shapes.
    _check(path, weights, modules if ops is TORCH else _build(path, config, parts, TORCH))
    emo, vae, encoder = modules["emo"], modules.get("vae"), modules.get("audio_encoder")
    _assign(emo, weights, "emo.", device, dtype)
    if vae is not None:
        slow = device.type == "cpu" and dtype == torch.float16
        _assign(vae, weights, "vae.", device, vae_dtype or (torch.float32 if slow else dtype))
        if config.vae.kind == "tiny":
            vae.to(memory_format=torch.channels_last)  # Halves the time in bf16 on a CPU.
    if encoder is not None:
        _assign(encoder, weights, "audio_encoder.", device, torch.float32)
    return Checkpoint(path, config, emo, vae, encoder)


def save_checkpoint(
    path: Path,
    config: EMOConfig,
    parts: Mapping[str, nn.Module | Mapping[str, Tensor]],
    *,
    dtype: torch.dtype = torch.float16,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write a model; an existing file is replaced when the new one is complete.

    Args:
        path: a .safetensors file.
        config: of the model.
        parts: modules or state dicts under the names `emo`, `vae`, `audio_encoder`.
        dtype: of the stored weights.
        notes: more metadata, for instance the source of the weights.

    Raises:
        InputError: if the file cannot be written.
    """
    weights = {}
    for name, part in parts.items():
        state = part.state_dict() if isinstance(part, nn.Module) else part
        weights |= {f"{name}.{key}": value.to(dtype).contiguous() for key, value in state.items()}
    metadata = {"format": FORMAT, "config": config.to_json(), **(notes or {})}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            save_file(weights, temporary, metadata)
    except (OSError, SafetensorError) as error:
        raise InputError(f"checkpoint: cannot write {path}: {error}") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Read a checkpoint's metadata.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it is not an EMO checkpoint.
    """
    path = existing_file(path, "checkpoint", "an EMO .safetensors, or leave the option out for emo-mini")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_unreadable(path, error)) from error
    if metadata.get("format") != FORMAT or "config" not in metadata:
        raise CheckpointError(
            f"checkpoint: {path} is a safetensors file but not an EMO checkpoint of format {FORMAT}; build one with "
            "`python -m emo_core weights init`"
        )
    return metadata


def _unreadable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        magic = file.read(2)
    # torch.save writes a zip archive, or pickle protocol 2 and later.
    if magic == b"PK" or (magic[:1] == b"\x80" and magic[1:] < b"\x06"):
        return (
            f"checkpoint: {path} is a pickle (.pt, .pth or .ckpt), which can run code when opened; give a "
            "safetensors file"
        )
    return f"checkpoint: {path} is not a whole safetensors file ({error}); copy or download it again"


def checkpoint_info(path: Path) -> CheckpointInfo:
    """Read config, sizes and hash of a file."""
    metadata = read_metadata(path)
    parameters: dict[str, int] = {}
    dtypes = set()
    with safe_open(path, "pt") as file:
        for key in file.keys():
            tensor = file.get_slice(key)
            part = ".".join(key.split(".")[: 2 if key.startswith("emo.") else 1])
            parameters[part] = parameters.get(part, 0) + math.prod(tensor.get_shape())
            dtypes.add(tensor.get_dtype())
    config = EMOConfig.from_json(metadata["config"])
    return CheckpointInfo(
        config, metadata, parameters, tuple(sorted(dtypes)), Path(path).stat().st_size, file_digest(path)
    )


def checkpoint_size(path: Path) -> int:
    """Number of weights in a file, read from its header."""
    read_metadata(path)
    with safe_open(path, "pt") as file:
        return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())


def info_as_json(info: CheckpointInfo) -> dict:
    """Convert to plain data for JSON."""
    notes = {key: value for key, value in info.metadata.items() if key != "config"}
    return {**dataclasses.asdict(info), "metadata": notes}


def _read(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def _build(path: Path, config: EMOConfig, parts: Set[str], ops: Layers) -> dict[str, nn.Module]:
    """The networks that the config describes, without memory for weights.

    The file may be wrong, and random initialisation takes a minute for a full-size model.
    """
    try:
        with torch.device("meta"):
            modules: dict[str, nn.Module] = {"emo": EMO(config, ops=ops)}
            if "vae" in parts:
                modules["vae"] = VAE(config.vae, ops=ops)
            if "audio_encoder" in parts:
                modules["audio_encoder"] = AudioEncoder.from_config(config.audio)
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"checkpoint: {path} describes a network that cannot be built: {problem}; download or copy the file again"
        ) from error
    return modules


def _check(path: Path, weights: Mapping[str, Tensor], modules: Mapping[str, nn.Module]) -> None:
    expected = {
        f"{name}.{key}": tuple(value.shape)
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    problems = describe_mismatch({key: tuple(value.shape) for key, value in weights.items()}, expected)
    if problems:
        raise CheckpointError(
            f"checkpoint: {path} does not match its own config: {problems}; download or copy the file again"
        )


def describe_mismatch(shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> str:
    """Name unknown, missing and misshaped keys, up to `MAX_LISTED_KEYS` of each; empty if all shapes match."""
    shared = shapes.keys() & expected.keys()
    kinds = {
        "unknown": sorted(shapes.keys() - expected.keys()),
        "missing": sorted(expected.keys() - shapes.keys()),
        "misshaped": [f"{k} {shapes[k]} instead of {expected[k]}" for k in sorted(shared) if shapes[k] != expected[k]],
    }
    texts = []
    for kind, keys in kinds.items():
        if keys:
            more = f" and {len(keys) - MAX_LISTED_KEYS} more" if len(keys) > MAX_LISTED_KEYS else ""
            texts.append(f"{len(keys)} {kind} ({', '.join(keys[:MAX_LISTED_KEYS])}{more})")
    return "; ".join(texts)


def _assign(
    module: nn.Module, weights: Mapping[str, Tensor], prefix: str, device: torch.device, dtype: torch.dtype
) -> None:
    state = {
        key.removeprefix(prefix): value.to(device, dtype) for key, value in weights.items() if key.startswith(prefix)
    }
    module.load_state_dict(state, assign=True)
    module.to(device).eval().requires_grad_(False)
