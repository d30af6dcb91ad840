"""Take position, size and rotation of the head out of landmarks: what remains is the face's shape.

Shape legend: F frames. Unit of length: the distance of the outer eye corners.
"""

from dataclasses import dataclass

import numpy as np

from .pose import RIGID

TO_RIG = np.array([1.0, -1.0, -1.0])
"""Pictures have y down and z away; the rig has y up and z to the camera."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Landmarks as similarity transforms of aligned points: landmarks = (scale * points @ rotation.T + shift) * TO_RIG."""

    points: np.ndarray
    """(F, 478, 3) x right, y up, z to the camera, in units."""
    rotation: np.ndarray
    """(F, 3, 3)"""
    scale: np.ndarray
    """(F,) pixels per unit."""
    shift: np.ndarray
    """(F, 3) pixels, y up."""

    def place(self, points: np.ndarray) -> np.ndarray:
        """Aligned points (F, N, 3) back into pictures: (F, N, 3) pixels, y down, z away."""
        turned = points @ self.rotation.transpose(0, 2, 1)
        return (turned * self.scale[:, None, None] + self.shift[:, None]) * TO_RIG


def align(landmarks: np.ndarray) -> Aligned:
    """Fit 30 rigid points to their mean positions by a similarity transform (Umeyama 1991).

    Args:
        landmarks: (F, 478, 3) pixels, y down, z away.
    """
    model = np.array(list(RIGID.values()))
    points = np.asarray(landmarks, dtype=np.float64) * TO_RIG
    rigid = points[:, list(RIGID)]
    centre, model_centre = rigid.mean(1), model.mean(0)
    spread = np.einsum("fni,nj->fij", rigid - centre[:, None], model - model_centre)
    left, values, right = np.linalg.svd(spread)
    signs = np.ones_like(values)
    signs[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation = (left * signs[:, None]) @ right
    scale = (values * signs).sum(-1) / ((model - model_centre) ** 2).sum()
    shift = centre - scale[:, None] * (rotation @ model_centre)
    aligned = (points - shift[:, None]) @ rotation / scale[:, None, None]
    return Aligned(aligned, rotation, scale, shift)
