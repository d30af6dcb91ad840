"""Augment a sound: level, noise, voice."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np

from ..errors import InputError
from ..media.sound import SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """Changes of a sound; the defaults change nothing."""

    gain: float = 0.0
    """Decibels."""
    noise: float | None = None
    """Signal-to-noise ratio of added white noise, in decibels."""
    voice: float = 1.0
    """Factor of pitch and formants; timing stays the same."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.voice <= 2:
            raise InputError(f"voice: got {self.voice:g}; expected 0.5 .. 2")

    def __call__(self, sound: np.ndarray, seed: int = 0) -> np.ndarray:
        """Apply to (S,) at 16 kHz."""
        if self.voice != 1:
            shifted = shift(sound, self.voice)[: len(sound)]
            sound = np.pad(shifted, (0, len(sound) - len(shifted)))
        if self.noise is not None:
            noise = np.random.default_rng(seed).standard_normal(len(sound))
            sound = sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-self.noise / 20)
        return (sound * 10 ** (self.gain / 20)).astype(np.float32)


def shift(samples: np.ndarray, factor: float) -> np.ndarray:
    """Pitch and formants of (S,) at 16 kHz times `factor`, duration unchanged."""
    rate = SAMPLE_RATE
    steps = [("asetrate", str(round(rate * factor))), ("aresample", str(rate)), ("atempo", f"{1 / factor:.6f}")]
    return _through_filters(samples, steps)


def _through_filters(samples: np.ndarray, filters: list[tuple[str, str]]) -> np.ndarray:
    """Run FFmpeg's audio filters over mono samples."""
    rate = SAMPLE_RATE
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", sample_rate=rate, layout="mono", time_base=Fraction(1, rate))
    nodes = [source, *(graph.add(name, value) for name, value in filters), graph.add("abuffersink")]
    for before, after in pairwise(nodes):
        before.link_to(after)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    source.push(frame)
    source.push(None)
    parts = []
    while True:
        try:
            parts.append(nodes[-1].pull().to_ndarray().ravel())
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(parts)
