"""Temporary files as VIDEO."""

import contextlib
import weakref
from pathlib import Path
from typing import Any
from uuid import uuid4

from comfy_api.latest import InputImpl

from .folders import temporary_folder


def new_video_path(prefix: str) -> Path:
    """An unused name for an mp4 in the host's temporary folder."""
    return temporary_folder() / f"{prefix}_{uuid4().hex}.mp4"


def temporary_video(path: Path) -> Any:
    """The file as VIDEO. It is deleted together with the object, when the host's cache drops it."""
    video = InputImpl.VideoFromFile(str(path))
    weakref.finalize(video, _delete, path)
    return video


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # On Windows a player may hold it open; the host empties the folder later.
        path.unlink()
