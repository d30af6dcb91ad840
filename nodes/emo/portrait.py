"""The host's IMAGE and MASK around the core's face finding and cropping."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import comfy.model_management as mm
import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from ...emo_core.emo.animate import face_mask
from ...emo_core.emo.conditions.audio_regions import face_regions
from ...emo_core.emo.conditions.identity import find_identity, load_identity
from ...emo_core.emo.config import EMOConfig
from ...emo_core.errors import InputError
from ...emo_core.face.box import Box
from ...emo_core.face.built_in_detector import BuiltInDetector
from ...emo_core.face.crop import FEATHER, Crop, PasteBack
from ...emo_core.face.detect import FaceDetector
from ...emo_core.face.detectors import make_detector
from ...emo_core.face.framing import Framing, frame_portrait
from ...emo_core.face.selection import RegionRequest, find_faces, united
from ..host.memory import check_room
from .folders import insightface_folders

BLACK = 0.05
"""A mask that is nowhere lighter was not painted."""
OUTLINE = (64, 200, 120)
"""Colour of the region in the preview."""


@dataclass(frozen=True, slots=True)
class FaceRequest:
    """What FaceLocatorMask's widgets say."""

    expand: float
    face_index: int
    detector: str
    whole: bool
    """All-white mask."""
    weights: tuple[float, float, float]
    """Of pose, face and lips."""
    embedding: Path | Literal["auto"] | None
    """A file; auto: by insightface where it is installed; None: an unknown face."""


@dataclass(frozen=True, slots=True)
class FaceDetails:
    """What models beside the paper's read of a face (Hallo): where the voice acts on it, and whose it is."""

    maps: Tensor | None
    """(3, 64, 64) of pose, face and lips; None: where the mask says."""
    weights: tuple[float, float, float]
    identity: Tensor | None
    """(E,) face embedding; None: unknown, or not read."""


@dataclass(frozen=True, slots=True)
class Located:
    """What FaceLocatorMask gives."""

    mask: Tensor
    """(1, S, S)"""
    pictures: Tensor
    """(B, S, S, 3)"""
    crop: Crop
    details: FaceDetails
    preview: Tensor
    """(1, S, S, 3) the first picture with its region outlined."""


def locate(config: EMOConfig, image: Tensor, mask: Tensor | None, request: FaceRequest) -> Located:
    """Find the face in pictures (B, H, W, C) in [0, 1], with an optional mask (B, H, W).

    Raises:
        InputError: where no face is found, or not the one asked for.
    """
    pictures = to_uint8(image)
    given = usable_mask(mask, pictures.shape[1:3])
    region = RegionRequest(
        "mask" if given is not None else "none" if request.detector == "none" else "auto",
        mask=given,
        expand=request.expand,
        face_index=request.face_index,
    )
    detector = _detector(request.detector) if region.kind == "auto" else None
    faces = find_faces((interruptible(picture) for picture in pictures), region, detector)
    first = next((place for place, one in enumerate(faces) if one is not None), 0)
    found = united(faces)
    face = None if found is None else found.box
    crop = frame_portrait(pictures[0], face, Framing(config.face_share, config.face_centre), config.image_size)
    square = (
        torch.ones(config.image_size, config.image_size) if request.whole else face_mask(face, crop, region, config)
    )
    cut = np.stack([crop.cut(picture) for picture in pictures])
    details = FaceDetails(
        None if found is None else face_regions(found, crop),
        request.weights,
        _identity(request.embedding, pictures[first], face, config),
    )
    return Located(square[None], to_image(cut), crop, details, to_image(_outlined(cut[0], square)[None]))


def paste_back(
    frames: Tensor, crop: Crop, original: Tensor, feather: float = FEATHER, *, report: Callable[[int], None]
) -> Tensor:
    """Put frames (F, S, S, 3) back into a picture (1, H, W, C): (F, H', W', 3).

    `report` is told of every frame; raise in it to stop. H' and W' are even, as video needs it: an odd side gets its last row or column twice.

    Raises:
        InputError: where there is not one picture, or one of another size than the square was cut from, or no room for the frames.
    """
    if len(original) != 1:
        raise InputError(f"original: got {len(original)} pictures; give the one that FaceLocatorMask was given")
    picture = to_uint8(original)[0]
    paste = PasteBack(crop, picture, feather)
    odd = [side % 2 for side in picture.shape[:2]]
    height, width = (side + more for side, more in zip(picture.shape[:2], odd, strict=True))
    check_room(
        len(frames),
        (width, height),
        lambda share: (
            f"scale the photo down to {int(width * share**0.5)} x {int(height * share**0.5)} before Face Locator Mask "
            f"(Upscale Image), or make {int(len(frames) * share)} frames at most (fewer seconds)"
        ),
    )
    result = torch.empty(len(frames), height, width, 3)
    for index, frame in enumerate(frames):
        whole = paste(to_uint8(frame[None])[0])
        result[index] = to_image(np.pad(whole, [(0, odd[0]), (0, odd[1]), (0, 0)], mode="edge"))
        report(index + 1)
    return result


def painted(mask: Tensor) -> bool:
    """Whether a mask is lighter than black anywhere."""
    return bool((mask > BLACK).any())


def usable_mask(mask: Tensor | None, size: tuple[int, int]) -> np.ndarray | None:
    """The union of a mask (B, H, W), at the picture's size, its whitest part white; None for none and for a black one.

    Load Image gives 64 x 64 zeros where a picture has no alpha channel, and nearly zeros where that is nearly opaque.
    """
    if mask is None or not painted(mask):
        return None
    union = rearrange(mask.float().cpu().reshape(-1, *mask.shape[-2:]).amax(0), "h w -> 1 1 h w")
    if union.shape[-2:] != size:
        union = functional.interpolate(union, size, mode="bilinear")
    return (union[0, 0] / union.max()).clamp(0, 1).numpy()


def to_uint8(image: Tensor) -> np.ndarray:
    """IMAGE (B, H, W, C), an alpha channel left out, to (B, H, W, 3) uint8; a film is not held as floats once more."""
    pictures = torch.empty(image[..., :3].shape, dtype=torch.uint8)
    for picture, given in zip(pictures, image, strict=True):
        picture.copy_((given[..., :3].float().cpu() * 255).round().clamp(0, 255))
    return pictures.numpy()


def to_image(pictures: np.ndarray) -> Tensor:
    """uint8 to IMAGE, as Load Image does."""
    return torch.from_numpy(pictures.astype(np.float32) / 255)


def interruptible(picture: np.ndarray) -> np.ndarray:
    """The picture, unless the user has pressed Cancel."""
    mm.throw_exception_if_processing_interrupted()
    return picture


def _identity(wanted: Path | str | None, picture: np.ndarray, face: Box | None, config: EMOConfig) -> Tensor | None:
    if wanted == "auto":
        return find_identity(None, picture, face, config, roots=insightface_folders())
    return load_identity(wanted, config)


def _detector(name: str) -> FaceDetector:
    if name == "built-in":
        return BuiltInDetector()
    return make_detector(landmarks=name == "mediapipe")


def _outlined(picture: np.ndarray, mask: Tensor) -> np.ndarray:
    rows, columns = (np.nonzero(mask.amax(dim).numpy() > 0.5)[0] for dim in (1, 0))
    drawn = Image.fromarray(picture)
    if len(rows):
        box = (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))
        ImageDraw.Draw(drawn).rectangle(box, outline=OUTLINE, width=max(1, len(mask) // 128))
    return np.asarray(drawn)
