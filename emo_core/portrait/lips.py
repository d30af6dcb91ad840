"""Lips and lids of a portrait: exact gaps, so that they close in every face.

Shape legend: F frames, N points, C columns of lip points from the right corner to the left one.
"""

import numpy as np

UPPER = (
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
)
"""Rings of the upper lip, from the inside to the outside."""
LOWER = (
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
)
COLUMNS = len(UPPER[0])
FOLLOW = (1.0, 0.97, 0.9, 0.8)
"""Share of a correction that each ring takes part in."""
UPPER_SHARE = 0.4
"""Share of a correction that the upper lip takes; the lower one takes the rest."""
LIDS = (
    ((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)),
    ((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)),
)
"""Upper and lower lid of the right eye and of the left one, point over point."""
LEAST_OPENING = 1e-3


def gap(points: np.ndarray) -> np.ndarray:
    """(F, 478, 3) aligned points to (F, C): height between the inner lips; 0 where they cross."""
    return np.maximum(points[:, UPPER[0], 1] - points[:, LOWER[0], 1], 0)


def with_gap(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Move both lips up or down until the gap between them is (F, C)."""
    points = np.array(points)
    change = wanted - (points[:, UPPER[0], 1] - points[:, LOWER[0], 1])
    for upper, lower, share in zip(UPPER, LOWER, FOLLOW, strict=True):
        points[:, upper, 1] += share * UPPER_SHARE * change
        points[:, lower, 1] -= share * (1 - UPPER_SHARE) * change
    return points


def lid_shares(points: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """How far the rig's eyes are open, as shares of the neutral opening: (F, 2 eyes, 7)."""
    return np.stack(
        [
            (points[:, upper, 1] - points[:, lower, 1]) / (mean[list(upper), 1] - mean[list(lower), 1])
            for upper, lower in LIDS
        ],
        axis=1,
    ).clip(0)


def with_lids(points: np.ndarray, neutral: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Put the upper lids where the portrait's eyes are open by these shares (F, 2, 7) of its own opening."""
    points = np.array(points)
    for eye, (upper, lower) in enumerate(LIDS):
        own = np.maximum(neutral[list(upper), 1] - neutral[list(lower), 1], LEAST_OPENING)
        points[:, upper, 1] = points[:, lower, 1] + shares[:, eye] * own
    return points
