"""Frames of a long sound, computed in overlapping windows that fade into each other.

Shape legend: F frames, K columns.
"""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

BLOCK, MARGIN, FADE = 64, 32, 8
"""Frames that a window gives, sees on both sides, and shares with the next one."""
KEPT = 8
"""Blocks in memory: a reader with margins and longer blocks reaches over several."""


class OverlappedWindows:
    """Any range of frames, block by block."""

    def __init__(self, compute: Callable[[int, int], np.ndarray], block: int = BLOCK) -> None:
        """`compute(first, last)` gives (F, K) of frames [first, last), which may reach past both ends of the sound.

        A window is `block` + 2 MARGIN frames long: longer blocks are less work, and begin later.
        """
        self._compute, self._length = compute, block
        self._blocks: OrderedDict[int, np.ndarray] = OrderedDict()
        self._tails: OrderedDict[int, np.ndarray] = OrderedDict()

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, K) of frames [first, last), from 0 on."""
        parts = []
        for block in range(first // self._length, (last - 1) // self._length + 1):
            values = self._block(block)
            parts.append(values[max(first - block * self._length, 0) : last - block * self._length])
        return np.concatenate(parts)

    def _block(self, number: int) -> np.ndarray:
        """(block, K), faded over from the window before."""
        if number not in self._blocks:
            values = self._window(number)
            block = values[MARGIN : MARGIN + self._length].copy()
            if number:
                share = ((np.arange(FADE) + 0.5) / FADE)[:, None]
                block[:FADE] = self._tail(number - 1) * (1 - share) + block[:FADE] * share
            _keep(self._blocks, number, block)
        return self._blocks[number]

    def _tail(self, number: int) -> np.ndarray:
        """(FADE, K) that a block's window says of the next block's first frames."""
        if number not in self._tails:
            self._window(number)
        return self._tails[number]

    def _window(self, number: int) -> np.ndarray:
        first = number * self._length - MARGIN
        values = self._compute(first, first + self._length + 2 * MARGIN)
        end = MARGIN + self._length
        _keep(self._tails, number, values[end : end + FADE])
        return values


def _keep(store: OrderedDict[int, np.ndarray], number: int, values: np.ndarray) -> None:
    store[number] = values
    while len(store) > KEPT:
        store.popitem(last=False)
