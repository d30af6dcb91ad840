"""Face detection behind a small protocol."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .box import Box

MAX_FACES = 8
"""Number of faces that a detector returns at most."""


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face."""

    box: Box
    """Brow to chin, ear to ear, in pixels of the picture."""
    landmarks: np.ndarray | None = None
    """(478, 3) MediaPipe's face mesh: x right, y down, z away, all in pixels, not rounded; None from a detector of
    boxes only."""
    blendshapes: np.ndarray | None = None
    """(52,) MediaPipe's scores of expressions; None if the detector does not give them."""

    score: float | None = None
    """0 .. 1; None if the detector gives none."""

    @classmethod
    def of_mesh(cls, landmarks: np.ndarray, blendshapes: np.ndarray | None = None) -> "Face":
        """The face of a mesh; its box goes around all landmarks."""
        (left, top), (right, bottom) = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        return cls(Box(float(left), float(top), float(right), float(bottom)), landmarks, blendshapes)


class FaceDetector(Protocol):
    """Detects faces."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """Detect the faces of a picture (H, W, 3) uint8 RGB, largest first."""
        ...
