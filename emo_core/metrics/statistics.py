"""Statistics over frames in which some values are missing (NaN)."""

import numpy as np

Metrics = dict[str, float | None]
"""Results by name; None if a result cannot be computed: too few faces, no sound, no true video."""
MIN_KNOWN = 0.5
"""Smallest share of frames with two values from which a correlation is computed."""


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two arrays (N,); 0 if one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0


def nan_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation over the frames in which both arrays (F,) have values; NaN if those are fewer than `MIN_KNOWN`."""
    both = np.isfinite(a) & np.isfinite(b)
    return correlation(a[both], b[both]) if both.mean() >= MIN_KNOWN else float("nan")


def shifted_correlations(reference: np.ndarray, signal: np.ndarray, reach: int, min_frames: int) -> np.ndarray:
    """Correlation of two signals at every shift of one against the other.

    Args:
        reference: (F,).
        signal: (F,) it is late by s frames if the correlation is highest at shift s.
        reach: largest shift in frames, to both sides.
        min_frames: overlap from which a correlation is computed.

    Returns:
        (2 reach + 1,) for the shifts -reach to reach; NaN if the overlap or the share of values is too small.
    """
    scores = np.full(2 * reach + 1, np.nan)
    for index, shift in enumerate(range(-reach, reach + 1)):
        count = len(signal) - abs(shift)
        if count >= min_frames:
            scores[index] = nan_correlation(reference[max(0, -shift) :][:count], signal[max(0, shift) :][:count])
    return scores


def mean(values: np.ndarray) -> float | None:
    """Mean without missing values; None if all are missing."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def deviation(values: np.ndarray) -> float | None:
    """Standard deviation without missing values; None if all are missing."""
    values = values[np.isfinite(values)]
    return float(values.std()) if len(values) else None


def ratio(a: float | None, b: float | None) -> float | None:
    """A / b; None if one is missing or b is 0."""
    return None if a is None or not b else a / b
