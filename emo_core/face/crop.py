"""Square crop around a face, framed as the model was trained, and its inverse: paste-back with a feathered edge."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .box import Box

FEATHER = 0.08
"""Share of the crop's side over which pasted frames fade into the picture."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Where a model expects the face in its square picture."""

    share: float
    """Height of the face box over the side of the picture."""
    centre: tuple[float, float]
    """Centre of the face box, as shares of the side."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a picture, which may reach over its edges (the picture's border pixels are continued)."""

    left: int
    top: int
    side: int
    """Pixels of the picture."""
    size: int
    """Pixels of the square that the model sees."""

    @classmethod
    def around(cls, face: Box, framing: Framing, size: int) -> "Crop":
        """Frame a face box (the picture's pixels) as the model expects it."""
        side = max(1, round(face.height / framing.share))
        x, y = face.centre
        return cls(round(x - framing.centre[0] * side), round(y - framing.centre[1] * side), side, size)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 to (size, size, 3) uint8."""
        rows, columns = self._indices(image.shape[0], self.top), self._indices(image.shape[1], self.left)
        square = image[rows[:, None], columns[None]]
        return np.asarray(Image.fromarray(square).resize((self.size, self.size), Image.Resampling.LANCZOS))

    def inside(self, box: Box) -> Box:
        """A box of the picture in pixels of the square."""
        scale = self.size / self.side
        return Box(
            (box.left - self.left) * scale,
            (box.top - self.top) * scale,
            (box.right - self.left) * scale,
            (box.bottom - self.top) * scale,
        )

    def paste(self, frame: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Put a generated square back into its picture.

        Args:
            frame: (size, size, 3) uint8.
            image: (H, W, 3) uint8; it is not changed.

        Returns:
            (H, W, 3) uint8, equal to `image` outside the square, fading into `frame` inside.
        """
        height, width = image.shape[:2]
        square = np.asarray(Image.fromarray(frame).resize((self.side, self.side), Image.Resampling.LANCZOS))
        y0, y1 = max(self.top, 0), min(self.top + self.side, height)
        x0, x1 = max(self.left, 0), min(self.left + self.side, width)
        if y0 >= y1 or x0 >= x1:
            return image.copy()
        part = np.s_[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]
        alpha = self._feather(height, width)[part][..., None]
        result = image.copy()
        blend = square[part] * alpha + image[y0:y1, x0:x1] * (1 - alpha)
        result[y0:y1, x0:x1] = np.round(blend).astype(np.uint8)
        return result

    def _indices(self, length: int, start: int) -> np.ndarray:
        return np.clip(np.arange(start, start + self.side), 0, length - 1)

    def _feather(self, height: int, width: int) -> np.ndarray:
        """(side, side) in [0, 1]: 0 on the square's edge, except where that edge lies outside the picture."""
        ramp = max(1.0, FEATHER * self.side)
        place = np.arange(self.side) + 0.5

        def fade(start: int, length: int) -> np.ndarray:
            low = np.ones(self.side) if start <= 0 else np.clip(place / ramp, 0, 1)
            high = np.ones(self.side) if start + self.side >= length else np.clip((self.side - place) / ramp, 0, 1)
            return np.minimum(low, high)

        edge = np.minimum(fade(self.top, height)[:, None], fade(self.left, width)[None])
        return edge * edge * (3 - 2 * edge)
