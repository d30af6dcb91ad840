"""A progress bar over frames, and Cancel."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import comfy.model_management as mm
import comfy.utils

T = TypeVar("T")


def frame_progress(total: int) -> Callable[[int], None]:
    """Start a progress bar.

    Args:
        total: number of frames.

    Returns:
        A function to call with the number of finished frames. It raises the host's interrupt after Cancel.
    """
    bar = comfy.utils.ProgressBar(total)

    def report(done: int) -> None:
        mm.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return report


def cancellable(items: Iterable[T]) -> Iterator[T]:
    """Yield the items. Raises the host's interrupt if the user has pressed Cancel before the next item is used."""
    for item in items:
        mm.throw_exception_if_processing_interrupted()
        yield item
