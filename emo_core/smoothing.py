"""Smoothing of curves over time.

Shape legend: F frames, K curves.
"""

import numpy as np


def gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    """(F, K) with a Gaussian over time, the ends repeated; `sigma` is its standard deviation in frames, 0 for none."""
    reach = int(np.ceil(3 * sigma))
    if reach <= 0:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], axis=1)
