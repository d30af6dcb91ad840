"""Blinks: real lid curves, about fifteen a minute, rather in pauses than in words.

Shape legend: F frames, Q blinks of T frames.
"""

import numpy as np

SHORTEST, MEAN, SPREAD = 1.2, 4.0, 0.45
"""Seconds between blinks at rate 1: least, mean, and deviation of the logarithm."""
LONGEST = 7.0
FIRST = (0.6, 3.0)
"""Seconds before the first blink."""
PULL = 0.7
"""Seconds by which a blink may move to the start of a pause."""


class BlinkTrack:
    """Blinks over time."""

    def __init__(
        self, blinks: np.ndarray, pause: np.ndarray, rng: np.random.Generator, *, rate: float, fps: float
    ) -> None:
        """Plan them for a sound with pauses (F,). `blinks` (Q, T, 2); `rate` is a multiple of the usual one."""
        frames = len(pause)
        self._curve = np.zeros((frames, 2), np.float32)
        if not rate or not len(blinks):
            return
        begins = np.flatnonzero(np.diff(pause.astype(np.int8), prepend=0) == 1) / fps
        time = rng.uniform(*FIRST) / rate
        while time * fps < frames:
            near = begins[np.abs(begins - time) < PULL] if len(begins) else begins
            chosen = float(near[0]) + 0.08 if len(near) else time
            self._add(blinks[rng.integers(len(blinks))], round(chosen * fps))
            wait = MEAN * np.exp(SPREAD * rng.standard_normal() - SPREAD**2 / 2)
            time = max(time, chosen) + float(np.clip(wait, SHORTEST, LONGEST)) / rate

    def _add(self, blink: np.ndarray, start: int) -> None:
        first, last = max(0, start), min(len(self._curve), start + len(blink))
        if last > first:
            part = self._curve[first:last]
            np.maximum(part, blink[first - start : last - start], out=part)

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, 2) left and right lid of frames [first, last)."""
        return self._curve[first:last]
