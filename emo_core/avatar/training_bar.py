"""Progress of a training on a terminal, with the time that is left, and its preview in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..files import atomic_path
from .train import Watch

BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} < {remaining}"
PREVIEW = "preview.png"


@contextmanager
def training_bar(folder: Path) -> Iterator[Watch]:
    """Show each part of a training as a bar on stderr while the block runs; the preview goes to a file in `folder`."""
    bars = _Bars(folder)
    try:
        yield Watch(line=bars.line, progress=bars.progress, preview=bars.preview)
    finally:
        bars.close()


class _Bars:
    """One bar at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._told = folder, False
        self._bar: tqdm | None = None
        self._part, self._share = "", 0.0

    def line(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def progress(self, part: str, share: float) -> None:
        if self._part != part:
            self.close()
            self._part, self._share = part, 0.0
            self._bar = tqdm(desc=part, total=1.0, bar_format=BAR, disable=None)
        self._bar.update(max(0.0, share - self._share))
        self._share = max(share, self._share)

    def preview(self, picture: np.ndarray) -> None:
        path = self._folder / PREVIEW
        with atomic_path(path) as temporary:
            Image.fromarray(picture).save(temporary, "PNG")
        if not self._told:
            self.line(f"preview: {path} (true mouths above, drawn ones below)")
        self._told = True

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
