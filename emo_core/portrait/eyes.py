"""Eyes: the eyeball stays in the skull and turns with the gaze; lids with their own skin pass over it.

Shape legend: h w window.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..face import mesh_points as mesh

EYES = (
    (mesh.RIGHT_LID_UPPER, mesh.RIGHT_LID_LOWER, mesh.RIGHT_IRIS[0]),
    (mesh.LEFT_LID_UPPER, mesh.LEFT_LID_LOWER, mesh.LEFT_IRIS[0]),
)
"""Upper and lower lid from the outer corner to the inner one, and the middle of the iris."""
SEEN = 0.05
"""Least opening of an eye that is drawn, as a share of its width."""


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye of the still."""

    number: int
    """0 right, 1 left."""
    outline: tuple[int, ...]
    """Points around the opening."""
    corners: tuple[int, int]
    iris: int
    start: np.ndarray
    """(2, 2) corners in the still, pixels."""
    opening: float
    """Height over width in the still."""

    @classmethod
    def both(cls, landmarks: np.ndarray) -> "tuple[Eye, ...]":
        """The open eyes of a still's landmarks (478, 3) in pixels."""
        found = []
        for number, (upper, lower, iris) in enumerate(EYES):
            start = landmarks[[upper[0], upper[-1]], :2]
            eye = cls(
                number,
                (*upper, *lower[-2:0:-1]),
                (upper[0], upper[-1]),
                iris,
                start,
                opening_of(landmarks, upper, lower),
            )
            found += [eye] if eye.opening >= SEEN else []
        return tuple(found)

    def places(self, pixels: tuple[np.ndarray, np.ndarray], points: np.ndarray, shift: np.ndarray) -> Tensor:
        """Where the eyeball's pixels are in the still.

        Args:
            pixels: x (1, w) and y (h, 1) in the frame.
            points: (478, 2) of the frame, in pixels.
            shift: (2,) of the iris by the gaze, in pixels of the still.

        Returns:
            (h, w, 2) float32
        """
        first, last = points[list(self.corners)]
        # Complex numbers: turning and scaling is one product.
        ratio = complex(*(self.start[1] - self.start[0])) / complex(*(last - first))
        place = (pixels[0] - first[0] + 1j * (pixels[1] - first[1])) * ratio
        width = abs(complex(*(self.start[1] - self.start[0])))
        axis = complex(*(self.start[1] - self.start[0])) / width
        along = place / axis
        # An eye wider open than in the still is stretched, as the still does not show more of it.
        opening = self._opening(points)
        stretch = min(1.0, self.opening / max(opening, 1e-6))
        share = np.clip(along.real / width, 0, 1)
        bell = np.sin(np.pi * share) ** 0.7
        along = along.real + 1j * along.imag * stretch
        place = along * axis - complex(*shift) * bell
        return torch.from_numpy(
            np.stack([self.start[0, 0] + place.real, self.start[0, 1] + place.imag], -1).astype(np.float32)
        )

    def _opening(self, points: np.ndarray) -> float:
        half = len(self.outline) // 2 + 1
        upper, lower = self.outline[:half], (self.outline[0], *self.outline[: half - 2 : -1])
        return opening_of(points, upper, lower)


def opening_of(points: np.ndarray, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    """Largest height of an eye over its width."""
    width = np.linalg.norm(points[upper[0], :2] - points[upper[-1], :2])
    heights = np.linalg.norm(points[list(upper[1:-1]), :2] - points[list(lower[1:-1]), :2], axis=-1)
    return float(heights.max() / max(width, 1e-6))
