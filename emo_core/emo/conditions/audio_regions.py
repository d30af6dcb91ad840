"""Where a voice acts on a picture: the whole (pose), the face, the lips; for models whose audio layers have regions (Hallo).

Shape legend: S side of the maps.
"""

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from ...face.box import Box
from ...face.crop import Crop
from ...face.detect import Face
from ...face.mouth import mouth_boxes

SIDE = 64
"""S: Hallo's maps are drawn and blurred at this size."""
FACE_BLUR, LIP_BLUR = 8.0, 5.0
"""Pixels: the Gaussians that OpenCV makes of Hallo's kernels of 51 and 31."""
EXPAND = 1.2
"""Hallo's region over face box."""
LIPS_IN_FACE = (0.31, 0.70, 0.67, 0.80)
"""Left, top, right, bottom of the lips in a face box, where no landmarks tell: medians over twelve portraits (MediaPipe)."""


def face_regions(face: Face, crop: Crop) -> Tensor:
    """Draw a face's regions.

    Args:
        face: in the picture's pixels.
        crop: the square that the model sees.

    Returns:
        (3, S, S) in [0, 1]: all but the face, the face without the lips, the lips.
    """
    whole = _map(crop.inside(face.box).expand(EXPAND), crop.size, FACE_BLUR)
    lips = np.minimum(_map(crop.inside(_lips(face)).expand(EXPAND), crop.size, LIP_BLUR), whole)
    return torch.tensor(np.stack([1 - whole, whole - lips, lips]))


def regions_of_mask(mask: Tensor) -> Tensor:
    """Regions where only the face region (H, W) is known: none of it is lips."""
    face = torch.nn.functional.interpolate(mask[None, None].float(), (SIDE, SIDE), mode="area")[0, 0]
    return torch.stack([1 - face, face, torch.zeros_like(face)])


def at_levels(regions: Tensor, latent: int, levels: int) -> tuple[Tensor, ...]:
    """(3, S, S) for every level of the UNet, finest first: (3, latent / 2^level, same)."""
    sides = [max(latent >> level, 1) for level in range(levels)]
    return tuple(torch.nn.functional.interpolate(regions[None], (side, side), mode="area")[0] for side in sides)


def _lips(face: Face) -> Box:
    if face.landmarks is not None:
        left, top, right, bottom = mouth_boxes(face.landmarks[None])[0]
        return Box(float(left), float(top), float(right), float(bottom))
    left, top, right, bottom = LIPS_IN_FACE
    box = face.box
    return Box(
        box.left + left * box.width,
        box.top + top * box.height,
        box.left + right * box.width,
        box.top + bottom * box.height,
    )


def _map(box: Box, picture: int, blur: float) -> np.ndarray:
    scale, drawn = SIDE / picture, Image.new("L", (SIDE, SIDE))
    left, top, right, bottom = (round(value * scale) for value in (box.left, box.top, box.right, box.bottom))
    drawn.paste(255, (max(left, 0), max(top, 0), max(right, 0), max(bottom, 0)))
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
