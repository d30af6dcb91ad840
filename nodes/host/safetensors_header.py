"""What safetensors files say about themselves, read without their weights, for menus."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

LONGEST = 100_000_000
"""Bytes of a header, at most, as in safetensors."""


def metadata_of(path: Path) -> Mapping[str, Any]:
    """The metadata of a file; empty if it has none, or is no safetensors file."""
    try:
        state = path.stat()
    except OSError:
        return {}
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _read(path: Path, changed: int, size: int) -> Mapping[str, Any]:
    """A file is read again when it has changed."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            content = json.loads(stream.read(length)) if 2 <= length <= min(size, LONGEST) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    about = content.get("__metadata__") if isinstance(content, dict) else None
    return about if isinstance(about, dict) else {}
