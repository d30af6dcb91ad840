"""Enhancement from the person's own sharp frames: the fine structure of a bent real mouth in place of the drawn one.

A network that learned from averages draws softer than a camera. Restoration networks flicker and change the person; here every
detail is the person's.

Shape legend: B pictures, P side of the patch.
"""

from __future__ import annotations

import numpy as np

FINE = 0.012
"""Standard deviation of the Gaussian that splits coarse and fine, over the patch's side."""
ALIKE = 14.0
"""Difference of coarse pictures, in grey levels, at which the share of real detail falls to 1 / e: other structures would ghost."""


def with_real_detail(drawn: np.ndarray, mouths: np.ndarray, regions: np.ndarray, strength: float) -> np.ndarray:
    """Exchange fine structure where real mouth and drawing agree otherwise.

    Args:
        drawn: (B, P, P, 3) float32, 0 .. 255.
        mouths: (B, P, P, 3) uint8 real mouths, bent to the same points.
        regions: (B, P, P) float32, 1 where the drawing is shown.
        strength: 0 .. 1 of the exchange.

    Returns:
        (B, P, P, 3) float32.
    """
    from scipy.ndimage import gaussian_filter  # A third of a second to import.

    sigma = FINE * drawn.shape[1]
    real = mouths.astype(np.float32)
    coarse, real_coarse = (gaussian_filter(part, (0, sigma, sigma, 0), truncate=3.0) for part in (drawn, real))
    apart = np.abs(coarse - real_coarse).mean(-1, keepdims=True)
    share = strength * np.exp(-apart / ALIKE) * regions[..., None]
    return drawn + share * ((real - real_coarse) - (drawn - coarse))
