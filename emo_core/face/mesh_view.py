"""Where the points of a rig lie in a square picture: seen from straight ahead, without perspective."""

from dataclasses import dataclass

import numpy as np

from .rig import FaceRig

HEIGHT = 2.4
"""Height of the picture in distances of the outer eye corners."""
FINER = 2
"""Pictures are drawn larger by this and scaled down, so that edges are smooth."""
BACKGROUND = (24, 26, 32)
"""RGB, 0 .. 255."""


@dataclass(frozen=True, slots=True)
class MeshView:
    """A picture of a rig."""

    size: int
    """Side of the picture in pixels."""
    middle: tuple[float, float]
    """The point of the rig's plane in the middle of the picture."""

    @classmethod
    def of(cls, rig: FaceRig, size: int) -> "MeshView":
        """The rig's face at rest in the middle."""
        x, y = ((rig.mean.min(0) + rig.mean.max(0)) / 2)[:2]
        return cls(size, (float(x), float(y)))

    @property
    def side(self) -> int:
        """Of the larger picture that is drawn, in pixels."""
        return self.size * FINER

    def places(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points to (..., 2) pixels of the larger picture, from its upper left corner, x first."""
        return ((points[..., :2] - self.middle) * [1, -1] / HEIGHT + 0.5) * self.side
