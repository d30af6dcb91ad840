"""The built-in detector's input: a resampled square of a picture, and the map back to the picture's pixels."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .box import Box

FACE_SHARE = 0.5
"""Longer side of a face over the side of the square around it."""
FINEST = 8
"""Pixels of the picture that are read per pixel of the square, along each side, at most."""
GREY = 127
"""Value of the square's pixels beyond the picture's edges."""


@dataclass(frozen=True, slots=True)
class View:
    """A square of a picture. It may reach over the picture's edges."""

    left: float
    top: float
    side: float
    """Pixels of the picture."""
    size: int
    """Side of the network's input in pixels."""

    @classmethod
    def whole(cls, image: np.ndarray, size: int) -> "View":
        """The square around a whole picture."""
        height, width = image.shape[:2]
        side = max(height, width)
        return cls((width - side) / 2, (height - side) / 2, side, size)

    @classmethod
    def around(cls, face: Box, size: int) -> "View":
        """The square around a face, of the size that the network is trained on."""
        side = max(face.width, face.height) / FACE_SHARE
        x, y = face.centre
        return cls(x - side / 2, y - side / 2, side, size)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) to (size, size, 3) uint8."""
        square = np.full((self.size, self.size, 3), GREY, np.uint8)
        rows, columns = self._covered(self.top, image.shape[0]), self._covered(self.left, image.shape[1])
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return square
        scale = self.side / self.size
        # Huge pictures are read with a step, to save time.
        step = max(1, int(scale / FINEST))
        left, right = (self.left + columns.start * scale, self.left + columns.stop * scale)
        top, bottom = (self.top + rows.start * scale, self.top + rows.stop * scale)
        x, y = (min(max(0, int(edge)), length - 1) for edge, length in ((left, image.shape[1]), (top, image.shape[0])))
        part = np.ascontiguousarray(image[y : max(y, int(bottom)) + 1 : step, x : max(x, int(right)) + 1 : step])
        height, width = part.shape[:2]
        # A thin picture fills at least half a pixel.
        near = (min(max((left - x) / step, 0.0), width - 0.5), min(max((top - y) / step, 0.0), height - 0.5))
        far = (min((right - x) / step, width), min((bottom - y) / step, height))
        drawn = Image.fromarray(part).resize(
            (columns.stop - columns.start, rows.stop - rows.start),
            Image.Resampling.BILINEAR,
            reducing_gap=2.0,
            box=(*near, max(far[0], near[0] + 0.5), max(far[1], near[1] + 0.5)),
        )
        square[rows, columns] = np.asarray(drawn)
        return square

    def _covered(self, start: float, length: int) -> slice:
        """Whole pixels of the square, along one axis, that lie inside the picture; at least one of a thin picture."""
        scale = self.size / self.side
        low, high = max(0, round(-start * scale)), min(self.size, round((length - start) * scale))
        return slice(low, max(high, low + 1) if low < self.size and high > 0 else low)

    def outside(self, box: Box) -> Box:
        """A box of the square in pixels of the picture."""
        scale = self.side / self.size
        return Box(
            self.left + box.left * scale,
            self.top + box.top * scale,
            self.left + box.right * scale,
            self.top + box.bottom * scale,
        )
