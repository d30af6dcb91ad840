"""The square of a portrait that a model animates, framed as in its training data."""

import numpy as np

from .box import Box
from .crop import Crop, Framing


def frame_portrait(image: np.ndarray, face: Box | None, framing: Framing, size: int) -> Crop:
    """Frame a face as a model expects it.

    Args:
        image: (H, W, 3) uint8.
        face: in the picture's pixels; None takes the largest centred square.
        framing: of the model's training data.
        size: side of the model's picture.
    """
    height, width = image.shape[:2]
    if face is not None:
        return Crop.around(face, framing, size, (width, height))
    side = min(height, width)
    return Crop((width - side) // 2, (height - side) // 2, side, size, (width, height))
