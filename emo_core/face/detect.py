"""Face detection behind a small protocol."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .box import Box

MAX_FACES = 8
"""Faces that a detector returns at most."""


@dataclass(frozen=True, slots=True)
class Face:
    """One found face."""

    box: Box
    """Brow to chin, ear to ear, in pixels of the picture."""
    landmarks: np.ndarray | None = None
    """(478, 3) MediaPipe's face mesh: x right, y down, z away, all in pixels, not rounded; None from a detector that
    finds only boxes."""
    blendshapes: np.ndarray | None = None
    """(52,) scores of MediaPipe's expressions, where they were asked for."""

    @classmethod
    def of_mesh(cls, landmarks: np.ndarray, blendshapes: np.ndarray | None = None) -> "Face":
        """The face of a mesh; its box goes around all landmarks."""
        (left, top), (right, bottom) = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        return cls(Box(float(left), float(top), float(right), float(bottom)), landmarks, blendshapes)


class FaceDetector(Protocol):
    """Anything that finds faces."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces of a picture (H, W, 3) uint8 RGB, largest first."""
        ...
