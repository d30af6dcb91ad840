"""Where the skull is in each frame of a film, from landmarks.

Shape legend: F frames, P 478 points.
"""

from collections.abc import Callable

import numpy as np

from emo_core.face.pose import RIGID

CLOSED = 0.02
"""Largest distance of the inner lips over the width of the mouth in a neutral frame."""
FEWEST = 3
"""Closed frames that make a neutral face."""
SMOOTH = 1.5
"""Frames: standard deviation of the Gaussian over the skull's path."""


def lip_gaps(points: np.ndarray) -> np.ndarray:
    """(F, P, 3) to (F,): distance of the inner lips over the width of the mouth."""
    gap = np.linalg.norm(points[:, 13, :2] - points[:, 14, :2], axis=1)
    return gap / np.linalg.norm(points[:, 61, :2] - points[:, 291, :2], axis=1)


def neutral_face(points: np.ndarray) -> np.ndarray | None:
    """(F, P, 3) to (P, 3): median of the frames with closed lips, brought to one pose; None if there are too few."""
    closed = points[lip_gaps(points) < CLOSED]
    if len(closed) < FEWEST:
        return None
    return np.median(moved_onto(closed, closed[0]), axis=0)


def skull_points(neutral: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(P, 3) and (F, P, 3) to (F, P, 3): the neutral face under every frame's pose, smoothed in time."""
    posed = np.stack([_similarity(neutral, frame)(neutral) for frame in points])
    return _smoothed(posed)


def moved_onto(frames: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(F, P, 3) to the pose of (P, 3)."""
    return np.stack([_similarity(frame, target)(frame) for frame in frames])


def _similarity(source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Rotation, scale and shift that bring the rigid points of one face onto the other's by least squares (Umeyama)."""
    rigid = list(RIGID)
    a, b = source[rigid], target[rigid]
    a_mean, b_mean = a.mean(0), b.mean(0)
    u, sizes, v = np.linalg.svd((b - b_mean).T @ (a - a_mean))
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
    turn = u * signs @ v
    scale = (sizes * signs).sum() / np.square(a - a_mean).sum()
    return lambda points: (points - a_mean) @ turn.T * scale + b_mean


def _smoothed(path: np.ndarray) -> np.ndarray:
    reach = int(np.ceil(3 * SMOOTH))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(path, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    return sum(weight * padded[place : place + len(path)] for place, weight in enumerate(kernel))
