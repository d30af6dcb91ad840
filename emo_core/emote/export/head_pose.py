"""The head's rotation in the forms that files want.

A face motion holds rotation vectors on the axes x right in the picture, y up, z to the camera. A positive turn about x
bends the head down, about y turns it to the person's own left, about z tilts it to the person's own right shoulder.

Shape legend: F frames.
"""

import numpy as np

from ...face.rotation import rotation_matrices

EYE_CORNERS = 0.09
"""Metres between the outer corners of the eyes of an adult, about: the unit of length of a face motion."""


def yaw_pitch_roll(rotation: np.ndarray) -> np.ndarray:
    """(F, 3) rotation vectors in degrees to (F, 3) yaw, pitch and roll in radians: turn = Ry(yaw) Rx(-pitch) Rz(roll).

    Yaw is positive to the person's own left, pitch up, roll to the person's own right shoulder.
    """
    turns = rotation_matrices(rotation)
    yaw = np.arctan2(turns[:, 0, 2], turns[:, 2, 2])
    pitch = np.arcsin(np.clip(turns[:, 1, 2], -1, 1))
    roll = np.arctan2(turns[:, 1, 0], turns[:, 1, 1])
    return np.stack([yaw, pitch, roll], axis=1)


def zxy_degrees(rotation: np.ndarray) -> np.ndarray:
    """(F, 3) rotation vectors in degrees to (F, 3) angles about z, x and y in degrees: turn = Rz Rx Ry.

    No angle jumps by a whole turn from one frame to the next.
    """
    turns = rotation_matrices(rotation)
    about_z = np.arctan2(-turns[:, 0, 1], turns[:, 1, 1])
    about_x = np.arcsin(np.clip(turns[:, 2, 1], -1, 1))
    about_y = np.arctan2(-turns[:, 2, 0], turns[:, 2, 2])
    return np.rad2deg(np.unwrap(np.stack([about_z, about_x, about_y], axis=1), axis=0))


def quaternions(rotation: np.ndarray) -> np.ndarray:
    """(F, 3) rotation vectors in degrees to (F, 4) unit quaternions x, y, z, w, each near the one before."""
    vectors = np.deg2rad(np.asarray(rotation, np.float64))
    angle = np.linalg.norm(vectors, axis=1, keepdims=True)
    # sin(a/2)/a, which tends to 1/2.
    made = np.concatenate([vectors * np.sinc(angle / (2 * np.pi)) / 2, np.cos(angle / 2)], axis=1)
    # q and -q are one rotation; programs that interpolate want neighbours on one side.
    flips = np.where((made[1:] * made[:-1]).sum(1) < 0, -1.0, 1.0)
    made[1:] *= np.cumprod(flips)[:, None]
    return made / np.linalg.norm(made, axis=1, keepdims=True)
