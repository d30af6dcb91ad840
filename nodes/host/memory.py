"""Whether there is room for the frames that a node is to hold: a system ends a host that fills more than it has, and all is lost."""

from collections.abc import Callable

from ...emo_core.errors import InputError

FLOAT_RGB = 12
"""Bytes of a pixel of IMAGE."""
MARGIN = 0.9
"""Share of the free memory that the advice makes use of."""
GB = 1e9


def check_room(frames: int, size: tuple[int, int], advice: Callable[[float], str]) -> None:
    """Compare what frames take with what is free.

    Args:
        frames: how many.
        size: their width and height.
        advice: what to do, told which share of the frames' bytes would fit.

    Raises:
        InputError: where they take more.
    """
    free, needed = _free(), frames * size[0] * size[1] * FLOAT_RGB
    if free is not None and needed > free:
        raise InputError(
            f"memory: {frames} frames of {size[0]} x {size[1]} pixels take {needed / GB:.1f} GB, and {free / GB:.1f} GB are free; "
            f"{advice(MARGIN * free / needed)}"
        )


def _free() -> int | None:
    """Bytes; None without psutil, which the host asks for itself."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().available
