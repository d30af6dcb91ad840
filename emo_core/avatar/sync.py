"""How late the sound of a film is, measured by the mouth.

Shape legend: F frames at 25 fps, S samples at 16 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..media.sound import SAMPLE_RATE
from ..metrics.lip_sync import MIN_LOUDNESS, SYLLABLE_BAND, lag, loudness
from .takes import FPS

RATE = 100
"""Hz at which mouth and sound are compared."""
REACH = 0.3
"""Seconds of the largest offset, to both sides."""
LEAST = 0.045
"""Seconds below which an offset is left as it is. Mouths of ten films in sync were measured 20 ms late to 30 ms early."""
CLEAR, ABOVE_CHANCE = 0.15, 4.5
"""Correlation of mouth and loudness at the best offset, at least; and the same over its deviation by chance. With the sound of
another film, 1 % of stretches of 8 to 60 s reach it."""
GAIN = 1.5
"""Correlation at the best offset over the one without, in deviations by chance, at least."""
SHORTEST = 6.0
"""Seconds from which an offset is believed."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How late a sound is."""

    seconds: float
    """Positive if it is late; 0 if it is not clear."""
    correlation: float
    """Of mouth and loudness at the best offset."""
    unshifted: float
    """The same without a shift."""
    heard: float
    """Seconds that were compared."""


def measure_offset(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Offset:
    """Measure how late the sound of one camera is.

    Args:
        parts: mouth opening (F,) and sound (S,) of stretches of film.

    Returns:
        An offset of 0 if none is clearly better than none.
    """
    pairs = [_curves(opening, sound) for opening, sound in parts if len(opening) >= FPS]
    pairs = [(mouth, loud) for mouth, loud in pairs if loud.max(initial=0) > MIN_LOUDNESS]
    seconds = sum(len(mouth) for mouth, _ in pairs) / RATE
    if not pairs:
        return Offset(0.0, 0.0, 0.0, 0.0)
    late, best, unshifted = lag(*(np.concatenate(curves) for curves in zip(*pairs, strict=True)), RATE, REACH)
    chance = 1 / np.sqrt(2 * (SYLLABLE_BAND[1] - SYLLABLE_BAND[0]) * seconds)
    clear = seconds >= SHORTEST and best > max(CLEAR, ABOVE_CHANCE * chance, unshifted + GAIN * chance)
    clear = clear and LEAST <= abs(late) < REACH
    return Offset(late if clear else 0.0, best, unshifted, seconds)


def _curves(opening: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opening and loudness at `RATE`, without their means, so that takes can be joined."""
    count = len(opening) * RATE // FPS
    places = (np.arange(count) + 0.5) * FPS / RATE - 0.5
    mouth = np.interp(places, np.arange(len(opening)), opening)
    return mouth - mouth.mean(), loudness(sound[: len(opening) * SAMPLE_RATE // FPS], count, RATE)
