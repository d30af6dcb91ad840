"""Do sound and mouth belong together? Loudness of speech against mouth opening, both at the rhythm of syllables.

Shape legend: F frames, S samples.
"""

import itertools

import numpy as np

from ..media.sound import SAMPLE_RATE

SPEECH_BAND = (250.0, 3500.0)
"""Hz: where speech has its energy."""
SYLLABLES = (1.5, 8.0)
"""Hz: how fast mouths open and close."""
VOICED = 10 ** (-24 / 20)
"""A frame this far below the loudest speech is a pause (-24 dB)."""


def loudness(sound: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """RMS of the speech band in every video frame: (S,) at 16 kHz to (F,)."""
    band = _band(sound, SPEECH_BAND, SAMPLE_RATE)
    edges = np.round(np.arange(frames + 1) / fps * SAMPLE_RATE).astype(int)
    band = np.pad(band, (0, max(0, edges[-1] - len(band))))
    return np.sqrt([np.mean(band[a:b] ** 2) for a, b in itertools.pairwise(edges)])


def speech_share(loud: np.ndarray) -> float:
    """Share of frames (F,) that stand out of the pauses: 0 for silence, for a steady noise, for an empty sound."""
    if loud.max(initial=0) < 1e-4:
        return 0.0
    if np.percentile(loud, 10) > 0.5 * np.percentile(loud, 90):  # Speech comes and goes, noise does not.
        return 0.0
    return float(np.mean(loud > VOICED * np.percentile(loud, 98)))


def lag(opening: np.ndarray, loud: np.ndarray, fps: float, reach: float = 0.4) -> tuple[float, float, float]:
    """Shift the sound against the mouth and see where they agree best.

    Args:
        opening: (F,) mouth opening.
        loud: (F,) loudness of speech.
        fps: frames per second.
        reach: seconds to try on both sides.

    Returns:
        seconds by which the sound is late at the best shift, correlation there, and correlation without shift.
    """
    a, b = _band(opening, SYLLABLES, fps), _band(np.log(loud + 0.1 * loud.mean() + 1e-9), SYLLABLES, fps)
    shifts = range(-round(reach * fps), round(reach * fps) + 1)
    scores = np.array([_agreement(a, b, shift) for shift in shifts])
    best = int(scores.argmax())
    return shifts[best] / fps, float(scores[best]), float(scores[len(scores) // 2])


def _agreement(opening: np.ndarray, loud: np.ndarray, shift: int) -> float:
    count = len(opening) - abs(shift)
    if count < 8:
        return 0.0
    a, b = opening[max(0, -shift) :][:count], loud[max(0, shift) :][:count]
    return correlation(a, b)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, 0 where one of them does not move."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0


def _band(signal: np.ndarray, band: tuple[float, float], rate: float) -> np.ndarray:
    """Keep a band of frequencies (Fourier, no delay)."""
    spectrum = np.fft.rfft(signal - np.mean(signal) if len(signal) else signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / rate)
    return np.fft.irfft(spectrum * ((hertz >= band[0]) & (hertz <= band[1])), len(signal))
