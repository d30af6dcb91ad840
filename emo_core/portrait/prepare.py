"""From a picture to a portrait that can move: find the face, check it, cut the square around it."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..face.box import Box
from ..face.crop import Crop
from ..face.detect import Face, FaceDetector
from ..face.rig import FaceRig
from ..face.selection import RegionRequest
from ..face.upright import MAX_MOTION, UprightFaces, find_upright, landmark_motion
from .plausible import check_landmarks

SHARE = 0.46
"""Height of the face over the side of the square: hair, neck and shoulders are in it."""
LIFT = 0.02
"""The face stands this share of its height above the middle."""
SIZE = 512
"""Side of the square that is drawn, in pixels."""
DETAIL = 1.3
"""Pixels of the portrait that are read per drawn pixel, along each side, at most: moved pictures lose some detail, and more
pixels would shimmer."""
SIZES = (128, 1024)
"""Least and largest side."""
NO_LANDMARKS = (
    "portrait: this model moves 478 face points, and no detector here gives them. Install mediapipe 0.10.21 in a Python up "
    "to 3.12; or wire ComfyUI's Detect Face Landmarks to the node; or animate the portrait with an EMO model, which needs no "
    "points (--model emo-mini)"
)


@dataclass(frozen=True, slots=True)
class PreparedPortrait:
    """A square around an upright face, and the way back into the given picture."""

    picture: np.ndarray
    """(P, P, 3) uint8, with as many pixels as drawing `size` pixels can show."""
    landmarks: np.ndarray
    """(478, 3) in pixels of a square of `size`."""
    size: int
    """Side of the square that is drawn, in pixels."""
    crop: Crop
    """Of the given picture, for paste-back."""


def prepare_portrait(
    image: np.ndarray, detector: FaceDetector, rig: FaceRig, *, size: int = SIZE, face_index: int | None = None
) -> PreparedPortrait:
    """Find the face of a picture (H, W, 3) uint8, turn it upright, and cut the square around it.

    Raises:
        InputError: if there is no face, several and none is chosen, or one that cannot be moved; or no landmarks.
    """
    found = find_upright([image], RegionRequest(face_index=face_index), detector)
    (upright,), (face,) = found.images, found.faces
    if face.landmarks is None:
        raise InputError(NO_LANDMARKS)
    if landmark_motion(upright, face, detector) > MAX_MOTION:
        raise InputError(
            "portrait: the face points are not steady on this picture (a sketch, a mask, or a covered face?); give one with "
            "eyes, nose and mouth in plain sight, or animate it with an EMO model (--model emo-mini)"
        )
    return cut_portrait(found, rig, size)


def cut_portrait(found: UprightFaces, rig: FaceRig, size: int = SIZE) -> PreparedPortrait:
    """Check an upright face with landmarks, and cut the square around it.

    Raises:
        InputError: if the face cannot be moved, or `size` is out of range.
    """
    low, high = SIZES
    if not low <= size <= high or size % 2:
        raise InputError(f"size: got {size}; expected an even number of pixels, {low} .. {high}")
    (upright,), (face,) = found.images, found.faces
    height, width = upright.shape[:2]
    check_landmarks(face.landmarks, rig, (width, height))
    crop = square_around(face, (width, height), size)
    landmarks = (np.asarray(face.landmarks, np.float64) - [crop.left, crop.top, 0]) * (size / crop.side)
    return PreparedPortrait(detailed(crop).cut(upright), landmarks, size, found.of_given(crop))


def detailed(crop: Crop) -> Crop:
    """The same square with as many of the picture's own pixels as a portrait that is drawn at the crop's size reads."""
    return replace(crop, size=int(np.clip(crop.side, crop.size, DETAIL * crop.size)))


def square_around(face: Face, picture: tuple[int, int], size: int) -> Crop:
    """The square around a face, moved and shrunk until it lies inside the picture."""
    width, height = picture
    box = Box(*face.landmarks[:, :2].min(0), *face.landmarks[:, :2].max(0))
    side = max(1, min(round(box.height / SHARE), width, height))
    x, y = box.centre
    left = int(np.clip(round(x - side / 2), 0, width - side))
    top = int(np.clip(round(y - LIFT * box.height - side / 2), 0, height - side))
    return replace(Crop(left, top, side, size), picture=picture)
