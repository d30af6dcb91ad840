"""The 478 points of a face, from the host's FACE_LANDMARKS or from MediaPipe."""

from typing import Any

import numpy as np
from torch import Tensor

from ...emo_core.errors import InputError
from ...emo_core.face.detect import FaceDetector
from ...emo_core.face.detectors import make_detector
from ...emo_core.face.rig import FaceRig
from ...emo_core.face.selection import RegionRequest
from ...emo_core.face.upright import UprightFaces
from ...emo_core.portrait.prepare import PreparedPortrait, cut_portrait, prepare_portrait
from ..host.face_landmarks import require_depth, upright_by_landmarks, wired_detector
from ..host.images import to_uint8

WAYS_OUT = (
    "Wire `face_landmarks` from ComfyUI's Detect Face Landmarks (newer versions of ComfyUI have it; it needs a model file, but no "
    "package). Or run `python -m emo_core animate --model portrait` outside ComfyUI, in a Python up to 3.12 with "
    "requirements-face.txt. Or animate the portrait with an EMO model, which needs no points (workflow talk)."
)
"""Where no points can be had. MediaPipe's package would replace the host's NumPy, so the host is not the place for it."""


def landmark_detector() -> FaceDetector:
    """A detector that gives 478 points.

    Raises:
        InputError: if there is none here.
    """
    try:
        return make_detector(landmarks=True)
    except InputError as error:
        raise InputError(
            f"face points: this node moves 478 points of a face, and nothing here finds them. {WAYS_OUT}"
        ) from error


def prepare(
    image: Tensor, landmarks: Any, rig: FaceRig, size: int, face_index: int
) -> tuple[np.ndarray, PreparedPortrait]:
    """The first of pictures (B, H, W, C) in [0, 1] with its points.

    Returns:
        The whole picture (H, W, 3) uint8, and the square around its face.

    Raises:
        InputError: if there is no such face, or one that cannot be moved, or no detector that gives its points.
    """
    pictures = to_uint8(image if landmarks is not None else image[:1])
    if landmarks is None:
        return pictures[0], prepare_portrait(pictures[0], landmark_detector(), rig, size=size, face_index=face_index)
    found = upright_by_landmarks(
        wired_detector(landmarks, pictures), pictures[:1], RegionRequest(face_index=face_index)
    )
    faces = [require_depth(face) for face in found.faces]
    return pictures[0], cut_portrait(UprightFaces(found.images, faces, found.turns), rig, size)
