"""Curves over time: smoothed, and filled where they were not seen.

Shape legend: F frames, K curves, N frames that were seen.
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


def interpolated(values: np.ndarray, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values (N, ...) of frames `numbers` (N,), rising, linearly interpolated at `places` (F,), the ends repeated: (F, ...)."""
    if np.array_equal(numbers, places):
        return values
    high = np.searchsorted(numbers, places).clip(max=len(numbers) - 1)
    low = np.maximum(high - 1, 0)
    share = ((places - numbers[low]) / np.maximum(numbers[high] - numbers[low], 1)).clip(0, 1)
    share = share.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - share) + values[high] * share
