"""Landmarks of all takes to one face motion, against the person's own neutral face and pose.

As `face.motion_fit`, but the face's shape is smoothed already, and nothing is smoothed across the edges of takes.

Shape legend: F frames of a take, N frames of all.
"""

from collections.abc import Sequence

import numpy as np

from ..face.motion import FaceMotion
from ..face.motion_fit import POSE_SMOOTH, with_full_blinks
from ..face.perspective import poses_of
from ..face.rig import FaceRig
from ..face.rig_fit import estimate_neutral, fit_coefficients, person_sizes
from ..face.rotation import rotation_matrices, rotation_vectors
from ..smoothing import gaussian
from .takes import FPS

NEUTRAL_FRAMES = 6000
"""Frames from which a neutral face is estimated, at most: evenly spread."""
CHUNK = 500
"""Frames that are fitted at once, so that memory stays flat."""


def neutral_of(points: Sequence[np.ndarray], shown: Sequence[np.ndarray]) -> np.ndarray:
    """The person's neutral face (478, 3), from aligned points (F, 478, 3) of takes where they are shown, (F,) bool."""
    step = max(1, sum(map(len, points)) // NEUTRAL_FRAMES)
    return estimate_neutral(
        np.concatenate([part[seen][::step] for part, seen in zip(points, shown, strict=True) if seen.any()])
    )


def motion_of(
    landmarks: Sequence[np.ndarray],
    points: Sequence[np.ndarray],
    shown: np.ndarray,
    neutral: np.ndarray,
    rig: FaceRig,
    size: int,
) -> FaceMotion:
    """Read expression and head pose.

    Args:
        landmarks: (F, 478, 3) pixels of the squares, of each take, smoothed.
        points: (F, 478, 3) the same aligned.
        shown: (N,) bool; the usual pose is the median of these frames.
        neutral: (478, 3).
        rig: whose coefficients are fitted.
        size: side of the squares in pixels.
    """
    sizes = person_sizes(neutral, rig)
    coefficients = [
        fit_coefficients((part[first : first + CHUNK] - neutral) / sizes, rig.basis, names=rig.names).astype(np.float32)
        for part in points
        for first in range(0, len(part), CHUNK)
    ]
    turns, places = zip(*(_poses(part, size) for part in landmarks), strict=True)
    rest = rotation_matrices(np.median(rotation_vectors(np.concatenate(turns)[shown]), axis=0)[None])[0]
    usual = np.median(np.concatenate(places)[shown], axis=0)
    sigma = POSE_SMOOTH * FPS / 25
    rotation = [gaussian(rotation_vectors(part @ rest.T), sigma) for part in turns]
    translation = [gaussian(part - usual, sigma) for part in places]
    motion = FaceMotion(
        coefficients=np.concatenate(coefficients),
        rotation=np.concatenate(rotation).astype(np.float32),
        translation=np.concatenate(translation).astype(np.float32),
        fps=FPS,
        names=rig.names,
    )
    return with_full_blinks(motion)


def _poses(landmarks: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (F, 3, 3) and places (F, 3), see `face.perspective.poses_of`."""
    parts = [poses_of(landmarks[first : first + CHUNK], (size, size)) for first in range(0, len(landmarks), CHUNK)]
    turns, places = zip(*parts, strict=True)
    return np.concatenate(turns), np.concatenate(places)
