"""The shape of one portrait's face, and where its points go in a face motion.

Shape legend: F frames, K coefficients. Unit of length: the distance of the outer eye corners.
"""

from dataclasses import dataclass

import numpy as np

from ..face.alignment import TO_RIG, align
from ..face.coefficients import MOUTH
from ..face.motion import FaceMotion
from ..face.rig import FaceRig
from ..face.rig_fit import person_sizes, split_still
from ..face.rotation import rotation_matrices
from . import lips

MAX_DEGREES = 15.0
"""Turns beyond this show sides of the head that the portrait does not; they approach it smoothly."""
MAX_SHIFT = 0.35
"""Largest shift of the head."""
DISTANCE = 8.0
"""From the camera to the head, for the change of size when it moves to or fro."""
KEPT_SMILE = (
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
)
"""Movements of the still that a speaking mouth keeps; what opens its lips is left out."""
KEEP = 0.9
"""Share of them that is kept."""
OPEN = 0.06
"""Gap between the inner lips of a mouth that is open, in distances of the outer eye corners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitShape:
    """One portrait's face."""

    neutral: np.ndarray
    """(478, 3) aligned, with closed lips."""
    kept: np.ndarray
    """(K,) coefficients of the still that every frame keeps: a smile."""
    rotation: np.ndarray
    """(3, 3) of the still's head."""
    scale: float
    """Pixels per unit."""
    shift: np.ndarray
    """(3,) pixels, y up."""
    sizes: np.ndarray
    """(478, 1) size of this face's mouth and eyes over the rig's, at each point: how much farther its points go."""
    landmarks: np.ndarray
    """(478, 3) the still's, in pixels."""

    @classmethod
    def of(cls, landmarks: np.ndarray, rig: FaceRig) -> "PortraitShape":
        """Measure a still's landmarks (478, 3), in pixels of it."""
        still = align(landmarks[None])
        points = still.points[0]
        # Closed lips stay as they are. A mouth that shows teeth is brought back to neutral, as far as it is open.
        share = np.clip(lips.gap(points[None]).max() / OPEN, 0, 1)
        _, coefficients = split_still(points, rig)
        coefficients = np.where(np.isin(rig.names, MOUTH), share * coefficients, 0)
        neutral = points - np.einsum("k,kpi->pi", coefficients, rig.basis)
        neutral = lips.with_gap(neutral[None], np.zeros((1, lips.COLUMNS)))[0]
        return cls(
            neutral=neutral,
            kept=np.where(np.isin(rig.names, KEPT_SMILE), KEEP * coefficients, 0),
            rotation=still.rotation[0],
            scale=float(still.scale[0]),
            shift=still.shift[0],
            sizes=person_sizes(neutral, rig),
            landmarks=np.asarray(landmarks, np.float64),
        )

    def points(self, motion: FaceMotion, rig: FaceRig) -> np.ndarray:
        """(F, 478, 3) aligned points of the face in motion, before the head turns."""
        curves = motion.curves(rig.names)
        rounding = np.maximum(motion.curve("mouthPucker"), motion.curve("mouthFunnel"))[:, None]
        kept = self.kept * (1 - rounding)
        spoken = rig.mean + np.einsum("fk,kpi->fpi", curves, rig.basis)
        offsets = np.einsum("fk,kpi->fpi", np.clip(curves + kept, 0, 1), rig.basis)
        points = self.neutral + offsets * self.sizes
        # A smile parts the lips of the rig. Only speech may open them: its gap is kept.
        points = lips.with_gap(points, lips.gap(spoken) * self.sizes[list(lips.UPPER[0]), 0])
        return lips.with_lids(points, self.neutral, lips.lid_shares(spoken, rig.mean))

    def neutral_in_picture(self) -> np.ndarray:
        """(478, 3) the neutral face in the still's pose, in pixels."""
        return (self.neutral @ self.rotation.T * self.scale + self.shift) * TO_RIG

    def posed(self, points: np.ndarray, motion: FaceMotion) -> np.ndarray:
        """Aligned points (F, N, 3) into the picture, with the head's motion: (F, N, 3) pixels, y down, z away."""
        turn = rotation_matrices(limited(motion.rotation, MAX_DEGREES))
        shift = limited(motion.translation, MAX_SHIFT)
        size = (1 / (1 - shift[:, 2] / DISTANCE))[:, None, None]
        # The head turns around the rig's origin, between the eyes, as poses are fitted; the neck's part is in the shift.
        moved = (points @ self.rotation.T * self.scale) @ turn.transpose(0, 2, 1) * size + self.shift
        moved[..., :2] += shift[:, None, :2] * self.scale
        return moved * TO_RIG


def limited(values: np.ndarray, limit: float) -> np.ndarray:
    """Values that approach a limit smoothly; small ones hardly change."""
    return limit * np.tanh(values / limit)
