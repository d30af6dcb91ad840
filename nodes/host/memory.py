"""Check that frames fit into memory. The system kills a host that runs out of it, and all results are lost."""

from collections.abc import Callable

from ...emo_core.errors import InputError

PIXEL_BYTES = 12
"""Bytes of a pixel of IMAGE: three float32."""
USABLE_SHARE = 0.9
"""Share of the free memory that the advice assumes."""
GB = 1e9


def check_room(frames: int, size: tuple[int, int], advice: Callable[[float], str]) -> None:
    """Compare the memory of frames with the free memory.

    Args:
        frames: number of frames.
        size: their width and height in pixels.
        advice: returns the last part of the message; its argument is the share of the frames' bytes that would fit.

    Raises:
        InputError: if the frames do not fit.
    """
    free, needed = _free_bytes(), frames * size[0] * size[1] * PIXEL_BYTES
    if free is not None and needed > free:
        raise InputError(
            f"memory: {frames} frames of {size[0]} x {size[1]} pixels take {needed / GB:.1f} GB, and {free / GB:.1f} GB are free; "
            f"{advice(USABLE_SHARE * free / needed)}"
        )


def _free_bytes() -> int | None:
    """None without psutil, which is a requirement of the host."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().available
