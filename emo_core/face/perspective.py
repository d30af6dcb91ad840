"""Head poses by perspective-n-point without OpenCV, for landmarks that come from elsewhere than MediaPipe's package.

Shape legend: F frames, P landmarks of the rigid part of the face. Axes: x right, y up, z to the camera, which stands at the origin.
"""

import numpy as np

from .alignment import align
from .pose import FOCAL, RIGID
from .rotation import rotation_matrices

STEPS = 12
"""Gauss-Newton steps; the error has converged after about 6."""
DAMPING = 1e-6
"""Weight that keeps a step finite where points are degenerate, over the mean of the diagonal."""


def poses_of(landmarks: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pose of every frame.

    Args:
        landmarks: (F, 478, 3) pixels, y down, z away; depth is used to start only.
        size: width and height of the frames in pixels.

    Returns:
        Rotations (F, 3, 3) and places (F, 3) of the head, in distances of the outer eye corners.
    """
    aligned = align(landmarks)
    focal, (width, height) = FOCAL * max(size), size
    seen = (landmarks[:, list(RIGID), :2] - [width / 2, height / 2]) * [1, -1] / focal
    x, y = aligned.shift[:, 0] - width / 2, aligned.shift[:, 1] + height / 2
    place = np.stack([x, y, np.full_like(x, -focal)], axis=1) / aligned.scale[:, None]
    turns, model = aligned.rotation, np.array(list(RIGID.values()))
    for _ in range(STEPS):
        step = _step(turns @ model.T, place, seen)
        turns, place = rotation_matrices(np.rad2deg(step[:, :3])) @ turns, place + step[:, 3:]
    return turns, place


def _step(turned: np.ndarray, place: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(F, 6) small turn and shift that bring the points (F, 3, P) nearer to where they are seen, (F, P, 2) at distance 1."""
    x, y, z = np.moveaxis(turned + place[:, :, None], 1, 0)
    rest = seen + np.stack([x, y], axis=-1) / z[..., None]
    zero = np.zeros_like(z)
    by_shift = np.stack([-1 / z, zero, x / z**2, zero, -1 / z, y / z**2], axis=-1).reshape(*z.shape, 2, 3)
    a, b, c = np.moveaxis(turned, 1, 0)
    by_turn = np.stack([zero, c, -b, -c, zero, a, b, -a, zero], axis=-1).reshape(*z.shape, 3, 3)
    slopes = np.concatenate([by_shift @ by_turn, by_shift], axis=-1).reshape(len(z), -1, 6)
    square = slopes.transpose(0, 2, 1) @ slopes
    square += DAMPING * np.trace(square, axis1=1, axis2=2)[:, None, None] / 6 * np.eye(6)
    return np.linalg.solve(square, slopes.transpose(0, 2, 1) @ rest.reshape(len(z), -1, 1))[..., 0]
