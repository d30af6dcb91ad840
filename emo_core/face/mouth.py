"""Opening and box of the mouth, from landmarks.

Shape legend: F frames.
"""

import numpy as np

UPPER_LIP, LOWER_LIP, FOREHEAD, CHIN = 13, 14, 10, 152
"""MediaPipe's landmarks: inner lips, top and bottom of the face."""
LIPS = (61, 291, 0, 17, 37, 267, 84, 314)
"""Outline of the lips."""


def mouth_opening(landmarks: np.ndarray) -> np.ndarray:
    """(F, 478, 2 or 3) landmarks to (F,): distance of the inner lips over the height of the face."""
    return _distance(landmarks, UPPER_LIP, LOWER_LIP) / np.maximum(_distance(landmarks, FOREHEAD, CHIN), 1e-6)


def mouth_boxes(landmarks: np.ndarray) -> np.ndarray:
    """(F, 478, 2 or 3) landmarks to (F, 4): left, top, right, bottom of the lips."""
    lips = landmarks[:, LIPS, :2]
    return np.concatenate([lips.min(1), lips.max(1)], axis=-1)


def _distance(landmarks: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(landmarks[:, a, :2] - landmarks[:, b, :2], axis=-1)
