"""Finished clips as files, in a folder that the user names. They outlive the host."""

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...emo_core.files import atomic_path

DISK_BYTES = 2**32
"""Most bytes of the folder's clips: 4 GB."""
SHARE_KEPT = 0.9
"""Share of the limit that is left when old files are deleted, so that this does not happen at every clip."""
FORMAT = "emo-clip-1"
"""Metadata `format`."""
LOG = logging.getLogger(__name__)


class ClipFiles:
    """One safetensors file per clip, named by its key. What cannot be read or written is logged, and never stops a run."""

    def __init__(self, folder: Path, limit: int = DISK_BYTES) -> None:
        """Use a folder, which is made when the first clip is written.

        Args:
            folder: for clips only; other files in it stay.
            limit: most bytes of clips in it. The files that were not used for the longest time are deleted first.
        """
        self._folder = folder
        self._limit = limit
        self._total: int | None = None  # Bytes, counted at the first write.

    def read(self, key: str) -> Tensor | None:
        """The latents (f, C, h, w) float32, or None if there is no whole file."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as content:
                latents, metadata = content.get_tensor("latents").clone(), content.metadata() or {}
            if metadata.get("format") != FORMAT or metadata.get("sha256") != _checksum(latents):
                raise SafetensorError("its content does not match its checksum")
        except (SafetensorError, OSError) as error:
            LOG.warning("EMO: the stored clip %s is not used (%s); it is generated again", path, error)
            return None
        with contextlib.suppress(OSError):  # The folder may be read-only.
            os.utime(path)  # Used now.
        return latents

    def write(self, key: str, latents: Tensor) -> None:
        """Store the latents; an existing file is replaced when the new one is complete."""
        latents = latents.contiguous()
        metadata = {"format": FORMAT, "sha256": _checksum(latents)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(latents.nbytes)
            with atomic_path(self._path(key)) as temporary:
                save_file({"latents": latents}, temporary, metadata)
        except (SafetensorError, OSError) as error:
            LOG.warning("EMO: the clip is not stored in %s (%s); the run goes on", self._folder, error)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.emo-clip.safetensors"

    def _make_room(self, needed: int) -> None:
        if self._total is not None and self._total + needed <= self._limit:
            self._total += needed
            return
        files = [(entry.stat(), entry) for entry in self._folder.glob("*.emo-clip.safetensors")]
        self._total = sum(state.st_size for state, _ in files) + needed
        if self._total <= self._limit:
            return
        for state, path in sorted(files, key=lambda item: item[0].st_mtime_ns):
            path.unlink(missing_ok=True)
            self._total -= state.st_size
            if self._total <= self._limit * SHARE_KEPT:
                return


def _checksum(latents: Tensor) -> str:
    return hashlib.sha256(latents.contiguous().reshape(-1).view(torch.uint8).numpy().data).hexdigest()
