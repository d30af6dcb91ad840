"""Temporary files as VIDEO."""

import contextlib
import weakref
from pathlib import Path
from typing import Any
from uuid import uuid4

from comfy_api.latest import InputImpl

from .folders import temporary_folder


class _TemporaryFile(str):
    """The path of a temporary file. VIDEO objects that are made from one another share this object."""


def new_video_path(prefix: str) -> Path:
    """An unused name for an mp4 in the host's temporary folder."""
    return temporary_folder() / f"{prefix}_{uuid4().hex}.mp4"


def temporary_video(path: Path) -> Any:
    """The file as VIDEO. It is deleted when the host has dropped every VIDEO that reads it.

    The host's nodes make new VIDEO objects over the same path (Video Slice) and drop the first one, with --cache-none at
    once. So the file's life is bound to the path that they share, not to the object returned here.
    """
    shared = _TemporaryFile(path)
    weakref.finalize(shared, _delete, path)
    return InputImpl.VideoFromFile(shared)


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # On Windows a player may hold it open; the host empties the folder later.
        path.unlink()
