"""Frames of a long sound, computed in overlapping windows that fade into each other.

Shape legend: F frames, K columns.
"""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

BLOCK, MARGIN, FADE = 64, 32, 8
"""Frames that a window gives, sees on both sides, and shares with the next one."""
WINDOW = BLOCK + 2 * MARGIN
KEPT = 4
"""Blocks in memory: a reader with margins reaches over two borders."""


class OverlappedWindows:
    """Any range of frames, block by block."""

    def __init__(self, compute: Callable[[int, int], np.ndarray]) -> None:
        """`compute(first, last)` gives the (WINDOW, K) frames [first, last), which may reach past both ends of the sound."""
        self._compute = compute
        self._blocks: OrderedDict[int, np.ndarray] = OrderedDict()
        self._tails: OrderedDict[int, np.ndarray] = OrderedDict()

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, K) of frames [first, last), from 0 on."""
        parts = []
        for block in range(first // BLOCK, (last - 1) // BLOCK + 1):
            values = self._block(block)
            parts.append(values[max(first - block * BLOCK, 0) : last - block * BLOCK])
        return np.concatenate(parts)

    def _block(self, number: int) -> np.ndarray:
        """(BLOCK, K), faded over from the window before."""
        if number not in self._blocks:
            values = self._window(number)
            block = values[MARGIN : MARGIN + BLOCK].copy()
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
        first = number * BLOCK - MARGIN
        values = self._compute(first, first + WINDOW)
        _keep(self._tails, number, values[MARGIN + BLOCK : MARGIN + BLOCK + FADE])
        return values


def _keep(store: OrderedDict[int, np.ndarray], number: int, values: np.ndarray) -> None:
    store[number] = values
    while len(store) > KEPT:
        store.popitem(last=False)
