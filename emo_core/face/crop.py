"""A square crop of a picture, and its inverse: paste-back with a feathered edge."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import InputError
from .box import Box

FEATHER = 0.08
"""Share of the crop's side over which pasted frames fade into the picture."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a picture. It may reach over the picture's edges: there, border pixels are repeated."""

    left: int
    top: int
    side: int
    """Pixels of the picture."""
    size: int
    """Pixels of the square that the model sees."""
    picture: tuple[int, int] | None = None
    """Width and height of the picture; None if nothing is pasted back."""
    turns: int = 0
    """Quarter turns, counter-clockwise, that make the picture upright. The square lies in the turned picture."""

    def cut(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 to (size, size, 3) uint8."""
        image = np.rot90(image, self.turns)
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

    def _indices(self, length: int, start: int) -> np.ndarray:
        return np.clip(np.arange(start, start + self.side), 0, length - 1)


class PasteBack:
    """Puts generated squares back into one picture."""

    def __init__(self, crop: Crop, image: np.ndarray, feather: float = FEATHER) -> None:
        """Prepare for a picture (H, W, 3) uint8, which is not changed; feather is a share of the square's side.

        Raises:
            InputError: if the picture has another size than the one that the square was cut from.
        """
        height, width = image.shape[:2]
        if crop.picture not in (None, (width, height)):
            raise InputError(
                f"original: got {width} x {height} pixels; the square was cut from a picture of {crop.picture[0]} x "
                f"{crop.picture[1]}; give that one"
            )
        image = np.ascontiguousarray(np.rot90(image, crop.turns))
        self._crop, self._image, (height, width) = crop, image, image.shape[:2]
        y0, y1 = max(crop.top, 0), min(crop.top + crop.side, height)
        x0, x1 = max(crop.left, 0), min(crop.left + crop.side, width)
        self._place = np.s_[y0:y1, x0:x1]
        self._part = np.s_[y0 - crop.top : y1 - crop.top, x0 - crop.left : x1 - crop.left]
        edge = np.minimum(
            _fade(crop.top, crop.side, height, feather)[:, None], _fade(crop.left, crop.side, width, feather)[None]
        )
        self._alpha = (edge * edge * (3 - 2 * edge))[self._part][..., None]
        self._rest = image[self._place] * (1 - self._alpha)

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Paste one square.

        Args:
            frame: (size, size, 3) uint8.

        Returns:
            (H, W, 3) uint8, equal to the picture outside the square, fading into `frame` inside.
        """
        side = self._crop.side
        square = np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS))[self._part]
        result = self._image.copy()
        result[self._place] = np.round(square * self._alpha + self._rest).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(result, -self._crop.turns))


def _fade(start: int, side: int, length: int, feather: float) -> np.ndarray:
    """(side,) float32 from 0 on the square's edge to 1 inside, but 1 where that edge lies outside the picture."""
    ramp, place = max(1.0, feather * side), np.arange(side, dtype=np.float32) + 0.5
    low = np.ones_like(place) if start <= 0 else np.clip(place / ramp, 0, 1)
    high = np.ones_like(place) if start + side >= length else np.clip((side - place) / ramp, 0, 1)
    return np.minimum(low, high)
