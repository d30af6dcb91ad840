"""Lip sync: the mouth's opening against the loudness of speech, and against the mouth of the true video.

Shape legend: F frames, S samples.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ..media.sound import SAMPLE_RATE
from .statistics import Metrics, deviation, nan_correlation, ratio, shifted_correlations

SPEECH_BAND = (250.0, 3500.0)
"""Hz: frequencies with most of the energy of speech."""
SYLLABLE_BAND = (1.5, 8.0)
"""Hz: rate of syllables, at which mouths open and close."""
PAUSE_LEVEL = 10 ** (-24 / 20)
"""Ratio to the loudest speech below which a frame is a pause (-24 dB)."""
MIN_LOUDNESS = 1e-4
"""RMS below which a sound is silent."""
MIN_LAG_FRAMES = 8
"""Frames from which mouth and sound are correlated."""
MIN_MOUTH_FRAMES = 12
"""Frames from which two mouths are correlated."""
MIN_MOUTH_CORRELATION = 0.3
"""Correlation of two mouths below which no lag is given."""
MAX_MOUTH_LAG = 5
"""Frames: largest lag between two mouths."""
MIN_FACE_RATE = 0.9
"""Share of frames with a face above which missing frames are interpolated."""


class SoundLag(NamedTuple):
    """Lag of the sound behind the mouth."""

    seconds: float
    """Positive if the sound is late."""
    correlation: float
    """At this lag, the highest one."""
    unshifted: float
    """Correlation without a shift."""


def loudness(sound: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """RMS of the speech band in every video frame: (S,) at 16 kHz to (F,)."""
    band = _band_pass(sound, SPEECH_BAND, SAMPLE_RATE)
    edges = np.round(np.arange(frames + 1) / fps * SAMPLE_RATE).astype(int)
    band = np.pad(band, (0, max(0, edges[-1] - len(band))))
    return np.sqrt([np.mean(band[start:end] ** 2) for start, end in itertools.pairwise(edges)])


def speech_share(loud: np.ndarray) -> float:
    """Share of frames with speech, from loudness (F,); 0 for silence, a steady noise or an empty sound."""
    if loud.max(initial=0) < MIN_LOUDNESS:
        return 0.0
    if np.percentile(loud, 10) > 0.5 * np.percentile(loud, 90):  # Speech has pauses, noise has none.
        return 0.0
    return float(np.mean(loud > PAUSE_LEVEL * np.percentile(loud, 98)))


def lag(opening: np.ndarray, loud: np.ndarray, fps: float, reach: float = 0.4) -> SoundLag:
    """Lag between mouth and sound, from their correlation in the syllable band.

    Args:
        opening: (F,) mouth opening.
        loud: (F,) loudness of speech.
        fps: frames per second.
        reach: largest lag in seconds, to both sides.
    """
    mouth = _band_pass(opening, SYLLABLE_BAND, fps)
    sound = _band_pass(np.log(loud + 0.1 * loud.mean() + 1e-9), SYLLABLE_BAND, fps)
    shifts = round(reach * fps)
    scores = np.nan_to_num(shifted_correlations(mouth, sound, shifts, MIN_LAG_FRAMES))
    best = int(scores.argmax())
    return SoundLag((best - shifts) / fps, float(scores[best]), float(scores[shifts]))


def envelope_correlation(opening: np.ndarray, loud: np.ndarray, fps: float) -> float | None:
    """Correlation of mouth opening and loudness in the syllable band, without a shift.

    Args:
        opening: (F,) NaN in frames without a face; those are interpolated.
        loud: (F,) loudness; of two lengths, the shorter one counts.
        fps: frames per second.

    Returns:
        None for less than a second, for silence, or if a tenth of the faces is missing.
    """
    has_face, count = np.isfinite(opening), min(len(opening), len(loud))
    if has_face.mean() <= MIN_FACE_RATE or count < fps or loud[:count].max() < MIN_LOUDNESS:
        return None
    opening = np.interp(np.arange(len(opening)), np.nonzero(has_face)[0], opening[has_face])
    return lag(opening[:count], loud[:count], fps).unshifted


def mouth_metrics(generated: np.ndarray, true: np.ndarray) -> Metrics:
    """Compare two mouth openings (F,); of two lengths, the shorter one counts. None for too few frames."""
    count = min(len(generated), len(true))
    generated, true = generated[:count], true[:count]
    enough = count >= MIN_MOUTH_FRAMES
    return {
        "opening_correlation": _mouth_correlation(generated, true),
        "opening_correlation_smoothed": _mouth_correlation(smooth(generated), smooth(true)),
        "opening_spread_ratio": ratio(deviation(generated), deviation(true)) if enough else None,
        "opening_lag": best_lag(generated, true),
    }


def best_lag(generated: np.ndarray, true: np.ndarray) -> float | None:
    """Frames by which the generated mouth (F,) is late, at the highest correlation with the true one.

    None if no lag gives a correlation above `MIN_MOUTH_CORRELATION`.
    """
    scores = shifted_correlations(true, generated, MAX_MOUTH_LAG, MIN_MOUTH_FRAMES)
    clear = {
        index - MAX_MOUTH_LAG: score for index, score in enumerate(scores.tolist()) if score > MIN_MOUTH_CORRELATION
    }
    return float(max(clear, key=lambda shift: (clear[shift], -abs(shift)))) if clear else None


def smooth(curve: np.ndarray) -> np.ndarray:
    """Moving average of (F,) over three frames, edges repeated."""
    padded = np.pad(curve, 1, mode="edge")
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def shuffle_sound(waveform: np.ndarray, seed: int = 0, blocks: int = 12) -> np.ndarray:
    """The sound (S,) with its blocks in random order, as a control: the same voice, out of sync with the picture."""
    parts = np.array_split(waveform, blocks)
    order = np.random.default_rng(seed).permutation(blocks)
    return np.concatenate([parts[i] for i in order])


def _mouth_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    score = nan_correlation(a, b) if len(a) >= MIN_MOUTH_FRAMES else np.nan
    return float(score) if np.isfinite(score) else None


def _band_pass(signal: np.ndarray, band: tuple[float, float], rate: float) -> np.ndarray:
    """Keep a band of frequencies (Fourier transform, no delay)."""
    spectrum = np.fft.rfft(signal - np.mean(signal) if len(signal) else signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / rate)
    return np.fft.irfft(spectrum * ((hertz >= band[0]) & (hertz <= band[1])), len(signal))
