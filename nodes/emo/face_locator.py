"""Face region, crop, audio regions and face embedding of a portrait, on the host's IMAGE and MASK."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...emo_core.emo.conditions.audio_regions import face_regions
from ...emo_core.emo.conditions.face_region import face_mask
from ...emo_core.emo.conditions.identity import find_identity, load_identity
from ...emo_core.emo.config import EMOConfig
from ...emo_core.errors import InputError
from ...emo_core.face.box import Box
from ...emo_core.face.built_in_detector import BuiltInDetector
from ...emo_core.face.crop import Crop
from ...emo_core.face.detect import FaceDetector
from ...emo_core.face.detectors import make_detector
from ...emo_core.face.framing import frame_portrait
from ...emo_core.face.selection import RegionRequest, united
from ...emo_core.face.upright import find_upright
from ..host.face_landmarks import upright_by_landmarks, wired_detector
from ..host.images import to_image, to_uint8, usable_mask
from ..host.progress import cancellable
from .folders import insightface_folders

OUTLINE_COLOUR = (64, 200, 120)
"""Colour of the region in the preview."""


@dataclass(frozen=True, slots=True)
class FaceRequest:
    """The settings of FaceLocatorMask."""

    expand: float
    face_index: int
    detector: str
    whole: bool
    """All-white mask."""
    weights: tuple[float, float, float]
    """Audio weights of head pose, face and lips."""
    embedding: Path | Literal["auto"] | None
    """A file; auto: computed by insightface if it is installed; None: no face embedding."""


@dataclass(frozen=True, slots=True)
class FaceDetails:
    """Conditions that Hallo reads beside the paper's: regional audio weights and the face embedding."""

    maps: Tensor | None
    """(3, 64, 64) of pose, face and lips; None: made from the face region."""
    weights: tuple[float, float, float]
    identity: Tensor | None
    """(E,) face embedding; None: unknown, or not used by the model."""


@dataclass(frozen=True, slots=True)
class LocatedFace:
    """The result of FaceLocatorMask."""

    mask: Tensor
    """(1, S, S)"""
    pictures: Tensor
    """(B, S, S, 3)"""
    crop: Crop
    details: FaceDetails
    preview: Tensor
    """(1, S, S, 3) the first picture with its region outlined."""


def locate(
    config: EMOConfig, image: Tensor, mask: Tensor | None, request: FaceRequest, landmarks: Any = None
) -> LocatedFace:
    """Find the face in pictures (B, H, W, C) in [0, 1], or take it from a mask (B, h, w) or the host's FACE_LANDMARKS.

    Raises:
        InputError: if no face is found, there is no face with the requested index, or landmarks belong to other pictures.
    """
    pictures = to_uint8(image)
    painted = usable_mask(mask, pictures.shape[1:3])
    kind = _kind(painted is not None, landmarks is not None, request.detector)
    region = RegionRequest(kind, mask=painted, expand=request.expand, face_index=request.face_index)
    if kind == "auto" and landmarks is not None:
        found = upright_by_landmarks(wired_detector(landmarks, pictures), pictures, region, cancellable)
    else:
        detector = _detector(request.detector) if kind == "auto" else None
        found = find_upright(pictures, region, detector, cancellable)
    pictures, faces = found.images, found.faces
    first = next((index for index, face in enumerate(faces) if face is not None), 0)
    union = united(faces)
    box = None if union is None else union.box
    side = config.image_size
    crop = frame_portrait(pictures[0], box, config.framing, side)
    square = torch.ones(side, side) if request.whole else face_mask(union, crop, region, side)
    cropped = np.stack([crop.cut(picture) for picture in pictures])
    details = FaceDetails(
        None if union is None else face_regions(union, crop),
        request.weights,
        _identity(request.embedding, pictures[first], box, config),
    )
    preview = to_image(_outlined(cropped[0], square)[None])
    return LocatedFace(square[None], to_image(cropped), found.of_given(crop), details, preview)


def _identity(embedding: Path | str | None, picture: np.ndarray, face: Box | None, config: EMOConfig) -> Tensor | None:
    if embedding == "auto":
        return find_identity(None, picture, face, config, roots=insightface_folders())
    return load_identity(embedding, config)


def _kind(painted: bool, wired: bool, detector: str) -> Literal["mask", "auto", "none"]:
    """Where the face comes from: a painted mask comes before wired landmarks, and these before the detector."""
    if painted:
        return "mask"
    return "none" if detector == "none" and not wired else "auto"


def _detector(name: str) -> FaceDetector:
    if name == "built-in":
        return BuiltInDetector()
    try:
        return make_detector(landmarks=name == "mediapipe")
    except InputError as error:
        if name != "mediapipe":
            raise
        raise InputError(
            f"detector: mediapipe cannot be used here ({error}); choose auto or built-in, or wire face_landmarks from Detect "
            "Face Landmarks (do not install mediapipe into ComfyUI's Python: it may replace ComfyUI's numpy)"
        ) from error


def _outlined(picture: np.ndarray, mask: Tensor) -> np.ndarray:
    """A picture (S, S, 3) uint8 with the bounding box of a mask (S, S) drawn on it."""
    rows, columns = (np.nonzero(mask.amax(dim).numpy() > 0.5)[0] for dim in (1, 0))
    drawn = Image.fromarray(picture)
    if len(rows):
        box = (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))
        ImageDraw.Draw(drawn).rectangle(box, outline=OUTLINE_COLOUR, width=max(1, len(mask) // 128))
    return np.asarray(drawn)
