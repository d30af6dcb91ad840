"""Whether landmarks can be trusted to move a portrait, with advice where they cannot."""

import numpy as np

from ..errors import InputError
from ..face.alignment import align
from ..face.perspective import poses_of
from ..face.rig import FaceRig

MAX_YAW = 35.0
"""Degrees: beyond, half of the face is not seen."""
MAX_PERSON = 2.4
"""Root mean square of the face's main differences from the mean, in standard deviations, of a face that can be one."""
MAX_REST = 0.035
"""Root mean square distance of the points from all faces that the rig can make, in distances of the outer eye corners."""
MIN_FACE = 40
"""Height of a face in pixels, at least."""


def check_landmarks(landmarks: np.ndarray, rig: FaceRig, size: tuple[int, int]) -> None:
    """Refuse landmarks that no frontal face has.

    Args:
        landmarks: (478, 3) pixels of the portrait.
        rig: the faces that there are.
        size: width and height of the portrait.

    Raises:
        InputError: for a small face, a profile, or points that form no face.
    """
    height = float(np.ptp(landmarks[:, 1]))
    if height < MIN_FACE:
        raise InputError(
            f"portrait: the face is {height:.0f} pixels high; give a picture in which it has at least {MIN_FACE}"
        )
    yaw = abs(head_yaw_of(landmarks, size))
    if yaw > MAX_YAW:
        raise InputError(
            f"portrait: the head is turned by {yaw:.0f} degrees; give one that looks into the camera (up to {MAX_YAW:.0f})"
        )
    person, rest = oddness(landmarks, rig)
    if person > MAX_PERSON or rest > MAX_REST:
        raise InputError(
            "portrait: the points found on the picture form no face (a drawing, a mask, or a covered face?); give a picture "
            "with eyes, nose and mouth in plain sight, or animate this one with an EMO model (--model emo-mini)"
        )


def head_yaw_of(landmarks: np.ndarray, size: tuple[int, int]) -> float:
    """Degrees that the head is turned to a side."""
    (turn,), _ = poses_of(landmarks[None], size)
    return float(np.rad2deg(np.arctan2(turn[0, 2], turn[2, 2])))


def oddness(landmarks: np.ndarray, rig: FaceRig) -> tuple[float, float]:
    """How far a face is from the mean in the rig's main differences, and how far its points are from all such faces."""
    points = align(landmarks[None]).points[0]
    people, basis = (part.reshape(len(part), -1) for part in (rig.people, rig.basis))
    both = np.concatenate([people, basis])
    offset = (points - rig.mean).ravel()
    weights = np.linalg.solve(both @ both.T + 1e-3 * np.eye(len(both)), both @ offset)
    rest = (offset - weights @ both).reshape(-1, 3)
    return float(np.sqrt((weights[: len(people)] ** 2).mean())), float(np.sqrt((rest[:, :2] ** 2).sum(1).mean()))
