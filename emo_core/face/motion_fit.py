"""Landmarks of a film to face motion.

Shape legend: F frames.
"""

import numpy as np

from ..errors import InputError
from ..smoothing import gaussian
from .alignment import align
from .coefficients import BLINK
from .motion import FaceMotion
from .perspective import poses_of
from .rig import FaceRig
from .rig_fit import estimate_neutral, fit_coefficients, person_sizes
from .rotation import rotation_matrices, rotation_vectors

MAX_MISSING = 0.5
"""Share of frames without a face above which a film is refused."""
SMOOTHING = (0.08, 0.84, 0.08)
"""Filter over three frames: a fifth less tremble, while peaks of openings and closures keep .96 of their size."""
POSE_SMOOTH = 1.5
"""Standard deviation of the Gaussian over head poses, in frames at 25 fps."""
BLINK_SECONDS = 0.4
"""Half of the time around a blink in which the lids are compared with it."""
MIN_BLINK = 0.25
"""Rise of both eyeBlink coefficients that is a blink."""


def fit_motion(
    landmarks: np.ndarray, rig: FaceRig, *, size: tuple[int, int], fps: float, neutral: np.ndarray | None = None
) -> FaceMotion:
    """Read expression and head pose of a filmed face.

    Args:
        landmarks: (F, 478, 3) pixels; NaN in frames without a face, which are interpolated.
        rig: whose coefficients are fitted.
        size: width and height of the frames in pixels.
        fps: of the film.
        neutral: the person's neutral face (478, 3) as `alignment.align` gives it; None to estimate it from the film.

    Returns:
        Rotation and translation are relative to the film's median pose.

    Raises:
        InputError: if too many frames have no face.
    """
    landmarks = filled(landmarks)
    points = smoothed(align(landmarks).points)
    neutral = estimate_neutral(points) if neutral is None else neutral
    coefficients = fit_coefficients((points - neutral) / person_sizes(neutral, rig), rig.basis, names=rig.names)
    rotation, translation = _pose(landmarks, size, fps)
    motion = FaceMotion(
        coefficients=coefficients.astype(np.float32),
        rotation=rotation.astype(np.float32),
        translation=translation.astype(np.float32),
        fps=fps,
        names=rig.names,
    )
    return with_full_blinks(motion)


def filled(landmarks: np.ndarray) -> np.ndarray:
    """(F, 478, 3) with frames that are NaN interpolated between their neighbours.

    Raises:
        InputError: if more than `MAX_MISSING` of the frames are.
    """
    seen = np.isfinite(landmarks[:, 0, 0])
    if not len(seen) or seen.mean() < 1 - MAX_MISSING:
        raise InputError(
            f"film: a face is found in {int(seen.sum())} of {len(seen)} frames; give a film of one face that is seen from "
            "the front in most of it"
        )
    frames = np.arange(len(seen))
    flat = landmarks.reshape(len(seen), -1)
    columns = [np.interp(frames, frames[seen], column[seen]) for column in flat.T]
    return np.stack(columns, axis=1).reshape(landmarks.shape)


def smoothed(points: np.ndarray) -> np.ndarray:
    """(F, ...) filtered in time, the ends repeated."""
    reach = len(SMOOTHING) // 2
    padded = np.concatenate([points[:1]] * reach + [points] + [points[-1:]] * reach)
    return sum(weight * padded[place : place + len(points)] for place, weight in enumerate(SMOOTHING))


def _pose(landmarks: np.ndarray, size: tuple[int, int], fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotation vectors in degrees, and translation from the median in units: (F, 3) each."""
    turns, shift = poses_of(landmarks, size)
    rest = rotation_matrices(np.median(rotation_vectors(turns), axis=0)[None])[0]
    rotation = rotation_vectors(turns @ rest.T)
    sigma = POSE_SMOOTH * fps / 25
    return gaussian(rotation, sigma), gaussian(shift - np.median(shift, axis=0), sigma)


def with_full_blinks(motion: FaceMotion) -> FaceMotion:
    """Scale the lids so that this film's blinks close the eye: landmarks follow a lid only part of the way.

    A film without a blink stays as it is.
    """
    reach = round(BLINK_SECONDS * motion.fps)
    both = np.minimum(*(motion.curve(name) for name in BLINK))
    calm = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(both, reach, mode="edge"), 2 * reach + 1), axis=1)
    rise = both - calm
    peaks = [
        frame
        for frame in np.nonzero(rise > MIN_BLINK)[0]
        if rise[frame] == rise[max(0, frame - reach) : frame + reach + 1].max()
    ]
    if not peaks:
        return motion
    curves = {}
    for name in BLINK:
        gain = 1 / np.clip(np.median(motion.curve(name)[peaks]), MIN_BLINK, 1)
        curves[name] = motion.curve(name) * gain
    return motion.with_curves(curves)
