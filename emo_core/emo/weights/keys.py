"""Read weight files of other projects, and rename their keys by tables."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...errors import CheckpointError, InputError


def rename(state: Mapping[str, Tensor], table: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """Apply every row of a table to every key."""
    renamed = {}
    for key, value in state.items():
        new = key
        for pattern, replacement in table:
            new = re.sub(pattern, replacement, new)
        renamed[new] = value
    return renamed


def open_state(path: Path) -> dict[str, Tensor]:
    """As `read_state`, but the tensors of a zip archive stay on disk until they are used."""
    return read_state(path, mmap=True)


def read_state(path: Path, *, mmap: bool = False) -> dict[str, Tensor]:
    """Read .safetensors, or a public .ckpt/.pth/.pt/.bin with torch's restricted loader.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it cannot be read safely.
    """
    if not path.is_file():
        raise InputError(f"weights: no file at {path}; give a .safetensors, .ckpt, .pth, .pt or .bin file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Files of torch before 1.6 are not zip archives and cannot be memory-mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap and zipfile.is_zipfile(path))
    except UnpicklingError as error:
        raise CheckpointError(
            f"weights: {path} is damaged, or has more than tensors, which could run code; it was not opened; give a "
            "safetensors file"
        ) from error
    except (SafetensorError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"weights: {path} cannot be read: {error}; download or copy it again") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    if not isinstance(state, dict):
        raise CheckpointError(f"weights: {path} has no table of named tensors; give a state dict")
    # Self-trained motion modules have a `module.` prefix, and an entry for their config.
    return {
        key.removeprefix("module."): value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
