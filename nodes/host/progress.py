"""A progress bar over frames, and Cancel."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import comfy.model_management as mm
import comfy.utils
import numpy as np
from PIL import Image

T = TypeVar("T")


PREVIEW_SIDE = 512
"""Longer side in pixels of the pictures that are shown below a node while it runs."""
PREVIEW_EVERY = 5
"""A picture is shown for one frame of so many: the browser shows no more."""


def frame_progress(total: int) -> Callable[..., None]:
    """Start a progress bar.

    Args:
        total: number of frames.

    Returns:
        A function to call with the number of finished frames, and the last one (H, W, 3) uint8 to show it. It raises the
        host's interrupt after Cancel.
    """
    bar = comfy.utils.ProgressBar(total)

    def report(done: int, frame: np.ndarray | None = None) -> None:
        mm.throw_exception_if_processing_interrupted()
        shown = frame is not None and (done - 1) % PREVIEW_EVERY == 0
        bar.update_absolute(done, max(done, total), ("JPEG", Image.fromarray(frame), PREVIEW_SIDE) if shown else None)

    return report


def share_progress(steps: int = 1000) -> Callable[[float], None]:
    """Start a progress bar of work that knows its finished share only.

    Returns:
        A function to call with that share, 0 .. 1. It raises the host's interrupt after Cancel.
    """
    report = frame_progress(steps)
    return lambda share: report(round(share * steps))


def cancellable(items: Iterable[T]) -> Iterator[T]:
    """Yield the items. Raises the host's interrupt if the user has pressed Cancel before the next item is used."""
    for item in items:
        mm.throw_exception_if_processing_interrupted()
        yield item
