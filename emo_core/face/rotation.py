"""Rotation vectors in degrees, and their matrices.

Shape legend: F frames.
"""

import numpy as np


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """(F, 3) rotation vectors in degrees to (F, 3, 3), by Rodrigues' formula."""
    vectors = np.deg2rad(np.asarray(vectors, np.float64))
    angle = np.linalg.norm(vectors, axis=-1)[:, None, None]
    x, y, z = (vectors / np.maximum(angle[:, 0], 1e-12)).T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew)


def rotation_vectors(turns: np.ndarray) -> np.ndarray:
    """(F, 3, 3) to axis times degrees (F, 3), exact below 180 degrees."""
    skew = np.stack(
        [turns[:, 2, 1] - turns[:, 1, 2], turns[:, 0, 2] - turns[:, 2, 0], turns[:, 1, 0] - turns[:, 0, 1]], axis=-1
    )
    sine = np.linalg.norm(skew, axis=-1) / 2
    angle = np.arctan2(sine, (np.trace(turns, axis1=1, axis2=2) - 1) / 2)
    return np.rad2deg(skew / 2 * (angle / np.maximum(sine, 1e-12))[:, None])
