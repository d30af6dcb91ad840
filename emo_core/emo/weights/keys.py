"""Reading weight files of other projects, and renaming their keys by tables."""

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
    """As `read_state`, with tensors that stay on disk until they are used, where the file allows it."""
    return read_state(path, mmap=True)


def read_state(path: Path, *, mmap: bool = False) -> dict[str, Tensor]:
    """Read .safetensors, or a public .ckpt/.pth/.pt/.bin with torch's restricted loader.

    Raises:
        InputError: where there is no file.
        CheckpointError: where it cannot be read safely.
    """
    if not path.is_file():
        raise InputError(f"weights: no file at {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Files of torch before 1.6 are no zip archives and cannot be mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap and zipfile.is_zipfile(path))
    except UnpicklingError as error:
        raise CheckpointError(
            f"weights: {path} is damaged, or holds more than tensors, which could run code; it was not opened; give a "
            "safetensors file"
        ) from error
    except (SafetensorError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"weights: {path} cannot be read: {error}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    if not isinstance(state, dict):
        raise CheckpointError(f"weights: {path} holds no table of named tensors")
    # Self-trained motion modules bring a `module.` prefix, and an entry for their own config.
    return {
        key.removeprefix("module."): value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
