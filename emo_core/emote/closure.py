"""The gap of the inner lips, and motion that keeps it.

Shape legend: F frames, K curves.
"""

import numpy as np

from ..face.rig import FaceRig

UPPER_LIP, LOWER_LIP, FOREHEAD, CHIN = 13, 14, 10, 152
"""Points of the face mesh in the middle of the inner lips, and at the ends of the face."""
CLOSED, OPEN = 0.006, 0.03
"""Gaps over the neutral face's, in heights of the face, up to which lips are closed, and from which an emotion may open them fully."""
RESTORING = {
    "jawOpen": 1.0,
    "mouthClose": 1.0,
    "mouthLowerDownLeft": 0.5,
    "mouthLowerDownRight": 0.5,
    "mouthUpperUpLeft": 0.3,
    "mouthUpperUpRight": 0.3,
    "mouthShrugUpper": 0.3,
    "mouthShrugLower": 0.3,
}
"""Curves that may change to reach a gap, and how willingly."""
ROUNDS = 4
"""Of the solution; curves that reach 0 or 1 leave the rest to others."""


def opening_of(rig: FaceRig, curves: tuple[str, ...]) -> np.ndarray:
    """(K,) how far each curve opens the inner lips at 1, in heights of the face."""
    basis = rig.basis[[rig.names.index(name) for name in curves]]
    return (basis[:, UPPER_LIP, 1] - basis[:, LOWER_LIP, 1]) / (rig.mean[FOREHEAD, 1] - rig.mean[CHIN, 1])


def open_share(gap: np.ndarray) -> np.ndarray:
    """(F,) gaps of speech to how far an emotion may open the lips, 0 .. 1."""
    share = np.clip((gap - CLOSED) / (OPEN - CLOSED), 0, 1)
    return share * share * (3 - 2 * share)


def with_gap(values: np.ndarray, wanted: np.ndarray, opening: np.ndarray, curves: tuple[str, ...]) -> np.ndarray:
    """The smallest change of jaw and lips that gives the inner lips a gap.

    Args:
        values: (F, K) curves.
        wanted: (F,) gap over the neutral face's, in heights of the face.
        opening: see `opening_of`.
        curves: names of the K columns.

    Returns:
        (F, K) in 0 .. 1. A gap that no such change reaches is approached.
    """
    willing = np.array([RESTORING.get(name, 0.0) for name in curves])
    values = np.clip(values, 0, 1)
    for _ in range(ROUNDS):
        error = wanted - values @ opening
        up = error[:, None] * opening > 0
        free = willing * np.where(up, values < 1, values > 0)
        size = (free * np.square(opening)).sum(1)
        step = np.where(size > 0, error / np.maximum(size, 1e-12), 0)
        values = np.clip(values + step[:, None] * free * opening, 0, 1)
    return values
