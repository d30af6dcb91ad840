"""Head pose from landmarks, and head speed from poses.

Shape legend: F frames, P landmarks of the rigid part of the face.
"""

import numpy as np

from ..smoothing import gaussian
from .rotation import rotation_vectors

RIGID = {
    10: (0.000, 0.685, 0.365),
    151: (0.000, 0.479, 0.351),
    9: (0.000, 0.260, 0.322),
    8: (0.000, 0.162, 0.278),
    168: (0.000, 0.076, 0.247),
    6: (0.000, -0.029, 0.268),
    197: (0.000, -0.130, 0.298),
    195: (0.000, -0.228, 0.334),
    5: (0.000, -0.332, 0.370),
    4: (0.000, -0.444, 0.365),
    33: (-0.500, 0.114, -0.006),
    263: (0.500, 0.114, -0.006),
    133: (-0.189, 0.077, 0.044),
    362: (0.189, 0.077, 0.044),
    127: (-0.791, 0.211, -0.570),
    356: (0.791, 0.211, -0.570),
    234: (-0.786, 0.052, -0.672),
    454: (0.786, 0.052, -0.672),
    93: (-0.774, -0.125, -0.729),
    323: (0.774, -0.125, -0.729),
    116: (-0.720, -0.066, -0.206),
    345: (0.720, -0.066, -0.206),
    46: (-0.610, 0.229, 0.083),
    276: (0.610, 0.229, 0.083),
    55: (-0.151, 0.196, 0.264),
    285: (0.151, 0.196, 0.264),
    98: (-0.201, -0.497, 0.042),
    327: (0.201, -0.497, 0.042),
    48: (-0.222, -0.441, 0.152),
    278: (0.222, -0.441, 0.152),
}
"""MediaPipe landmark -> x right, y up, z to the camera, in units of the distance between the outer eye corners.
Measured on the GRID corpus (speaker s1, mean of 680 frames, made symmetric), without mouth, jaw and lids."""

FOCAL = 1.2
"""Focal length over the longer side of the frame: about 45 degrees, a usual portrait lens."""
SMOOTH = 1.5
"""Frames: standard deviation of the Gaussian that smooths rotation steps."""


def head_poses(landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """6-DoF pose of every frame by perspective-n-point.

    Args:
        landmarks: (F, 478, 2 or 3) in pixels, not rounded.
        size: width and height of the frame in pixels.

    Returns:
        (F, 4, 4) from head to camera (x right, y down, z away), lengths in outer-eye-corner distances.
    """
    import cv2  # Comes with mediapipe; only those who have landmarks need it.

    model = np.array(list(RIGID.values())) * (1, -1, -1)
    points = np.ascontiguousarray(landmarks[:, list(RIGID), :2], dtype=np.float64)
    focal = FOCAL * max(size)
    camera = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    poses = np.tile(np.eye(4), (len(points), 1, 1))
    for pose, frame in zip(poses, points, strict=True):
        _, turn, shift = cv2.solvePnP(model, frame, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        turn, shift = cv2.solvePnPRefineLM(model, frame, camera, None, turn, shift)
        pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    return poses


def head_yaw(poses: np.ndarray) -> np.ndarray:
    """(F, 4, 4) poses to (F,) degrees: the nose's direction in the horizontal plane, 0 towards the camera."""
    return np.rad2deg(np.arctan2(-poses[:, 0, 2], poses[:, 2, 2]))


def head_roll(poses: np.ndarray) -> np.ndarray:
    """(F, 4, 4) poses to (F,) degrees that the head is tilted in the picture: 0 is upright, positive clockwise."""
    return np.rad2deg(np.arctan2(poses[:, 1, 0], poses[:, 0, 0]))


def head_speed(poses: np.ndarray, smooth: float = SMOOTH) -> np.ndarray:
    """Head rotation speed w_f: the angle between successive frames.

    The rotation vectors between frames are smoothed before their length is taken, so jitter of the landmarks cancels. Smoothed
    lengths would add it up. Rotations between frames are small, so no angle wraps.

    Args:
        poses: (F, 4, 4).
        smooth: standard deviation of the Gaussian in frames; 0 for none.

    Returns:
        (F,) degrees per frame. The first frame has the value of the second; a single frame has speed 0.
    """
    if len(poses) < 2:
        return np.zeros(len(poses))
    turns = poses[:, :3, :3]
    steps = rotation_vectors(turns[1:] @ turns[:-1].transpose(0, 2, 1))
    degrees = np.linalg.norm(gaussian(steps, smooth), axis=-1)
    return np.concatenate([degrees[:1], degrees])
