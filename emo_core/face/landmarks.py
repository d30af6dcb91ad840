"""MediaPipe's face mesh of 478 points.

Shape legend: F frames.
"""

import numpy as np


def face_boxes(landmarks: np.ndarray) -> np.ndarray:
    """(F, 478, 2 or 3) to (F, 4): left, top, right, bottom around all landmarks."""
    points = landmarks[..., :2]
    return np.concatenate([points.min(1), points.max(1)], axis=-1)
