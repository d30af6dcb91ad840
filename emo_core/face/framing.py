"""The square that a model sees of a portrait."""

from dataclasses import dataclass

import numpy as np

from .box import Box
from .crop import Crop


@dataclass(frozen=True, slots=True)
class Framing:
    """Place of the face in a model's square picture."""

    share: float
    """Height of the face box over the side of the picture."""
    centre: tuple[float, float]
    """Centre of the face box, as shares of the side."""


def frame_portrait(image: np.ndarray, face_box: Box | None, framing: Framing, size: int) -> Crop:
    """The square around the face, framed as in training. Without a face, the largest centred square.

    Args:
        image: the portrait (H, W, 3).
        face_box: in pixels of the portrait.
        framing: place of the face in the square.
        size: side of the model's picture in pixels.
    """
    height, width = image.shape[:2]
    if face_box is not None:
        return frame_face(face_box, framing, size, (width, height))
    side = min(height, width)
    return Crop((width - side) // 2, (height - side) // 2, side, size, (width, height))


def frame_face(face_box: Box, framing: Framing, size: int, picture: tuple[int, int] | None = None) -> Crop:
    """The square around a face box in pixels of a picture; `picture` is its width and height, for pasting back."""
    side = max(1, round(face_box.height / framing.share))
    x, y = face_box.centre
    return Crop(round(x - framing.centre[0] * side), round(y - framing.centre[1] * side), side, size, picture)
