"""Choose the face to animate: by detection, by number, by a box or by a mask."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from ..media.picture import load_picture
from .box import Box
from .detect import Face, FaceDetector
from .tracking import follow_face

MIN_SIDE = 64
"""Shorter side of a portrait in pixels, at least."""
MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class RegionRequest:
    """The user's choice of the face region."""

    kind: Literal["auto", "none", "box", "mask"] = "auto"
    """auto: a detected face; none: the whole picture; box and mask: the fields below."""
    box: Box | None = None
    """For `box`: the face, in pixels of the portrait."""
    mask: np.ndarray | None = None
    """For `mask`: (H, W) in [0, 1], of the portrait's size. Its box frames the crop; the mask itself is the region, not expanded."""
    expand: float = 1.1
    """The region is the face box scaled by this: a larger region allows more head motion (paper figure 7)."""
    face_index: int | None = None
    """Number of the face, 0 is the largest; None if there must be exactly one."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.expand <= 10:
            raise InputError(f"expand: got {self.expand}; expected 0.1 .. 10 (1.1 is usual, larger allows more motion)")

    @classmethod
    def parse(cls, text: str, *, expand: float = 1.1, face_index: int | None = None) -> "RegionRequest":
        """Read `auto`, `none`, `x,y,w,h` in pixels of the portrait, or the name of a mask picture.

        Raises:
            InputError: if it is none of these.
        """
        if text != "auto" and face_index is not None:
            raise InputError(
                f"face index: got {face_index} with the face region {text!r}; it chooses among detected faces; leave it out"
            )
        if text in ("auto", "none"):
            return cls(text, expand=expand, face_index=face_index)
        if Path(text).suffix.lower() in MASK_SUFFIXES:
            mask = load_picture(Path(text), role="face region", background="black").mean(-1) / 255
            return cls("mask", mask=mask, expand=expand)
        try:
            x, y, w, h = (float(part) for part in text.split(","))
        except ValueError:
            raise InputError(
                f"face region: got {text!r}; expected auto, none, x,y,w,h in pixels, or a mask picture"
            ) from None
        if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
            raise InputError(f"face region: got {text!r}; expected four numbers, width and height above 0")
        return cls("box", box=Box(x, y, x + w, y + h), expand=expand)


def find_face(image: np.ndarray, request: RegionRequest, detector: FaceDetector | None) -> Face | None:
    """The face in a portrait (H, W, 3) uint8, in its pixels; None for the whole picture.

    Raises:
        InputError: if the picture is too small, has no face, or has several and none is chosen.
    """
    height, width = _checked_size(image)
    if request.kind == "none":
        return None
    if request.kind == "box":
        return Face(_clipped(request.box, width, height))
    if request.kind == "mask":
        return Face(_mask_box(request.mask, width, height))
    return choose_face(detector.detect(image), request.face_index, f"{width} x {height}")


def find_faces(
    images: Iterable[np.ndarray], request: RegionRequest, detector: FaceDetector | None
) -> list[Face | None]:
    """One face in all frames (H, W, 3) uint8 of a clip: chosen in the first frame with enough faces, and followed from there.

    Returns:
        The face in each frame, in its pixels; None in a frame without it, and for the whole picture.

    Raises:
        InputError: if frames are too small, none has the face, or the first ones have several and none is chosen.
    """
    if request.kind != "auto":
        return [find_face(image, request, None) for image in images]
    frames, (height, width) = [], (0, 0)
    for image in images:
        height, width = _checked_size(image)
        frames.append(detector.detect(image))
    start = next((place for place, faces in enumerate(frames) if len(faces) > (request.face_index or 0)), None)
    candidates = max(frames, key=len) if start is None else frames[start]
    try:
        face = choose_face(candidates, request.face_index, f"{width} x {height}")  # Raises if there is no start.
    except InputError as error:
        if len(frames) == 1:
            raise
        raise InputError(f"{len(frames)} pictures: {error}") from error
    return [None] * start + follow_face(face, candidates, frames[start:])


def united(faces: list[Face | None]) -> Face | None:
    """The union of a face's boxes in all frames (paper section 3.2), with its first landmarks; None if it is in no frame."""
    present = [face for face in faces if face is not None]
    return Face(Box.union([face.box for face in present]), present[0].landmarks) if present else None


def _checked_size(image: np.ndarray) -> tuple[int, int]:
    """Height and width."""
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise InputError(f"portrait: {width} x {height} pixels; give one of at least {MIN_SIDE} x {MIN_SIDE}")
    return height, width


class NoFaceError(InputError):
    """No face is found."""


def choose_face(faces: list[Face], index: int | None, size: str) -> Face:
    """The face of a number, largest first; without a number, the only one. `size` of the picture is for messages.

    Raises:
        NoFaceError: if there is none.
        InputError: if there are several and none is chosen, or none has the number.
    """
    if not faces:
        raise NoFaceError(
            f"portrait: no face found in the {size} picture; give a clear frontal face, or its place "
            "(a mask, or x,y,w,h)"
        )
    if index is None:
        if len(faces) > 1:
            places = "; ".join(f"{i}: {_place(face.box)}" for i, face in enumerate(faces))
            raise InputError(f"portrait: {len(faces)} faces found ({places}); choose one by its number (face index)")
        return faces[0]
    if not 0 <= index < len(faces):
        raise InputError(f"face index: got {index}; the portrait has {len(faces)}, counted from 0")
    return faces[index]


def _clipped(box: Box, width: int, height: int) -> Box:
    """The part of a box that is in the picture."""
    clipped = Box(max(box.left, 0), max(box.top, 0), min(box.right, width), min(box.bottom, height))
    if clipped.width < 1 or clipped.height < 1:
        raise InputError(f"face region: the box lies outside the {width} x {height} portrait; give x,y,w,h inside it")
    return clipped


def _mask_box(mask: np.ndarray, width: int, height: int) -> Box:
    """The box around a mask's white part."""
    if mask.shape != (height, width):
        raise InputError(
            f"face region: the mask is {mask.shape[1]} x {mask.shape[0]}, the portrait {width} x {height}; make them equal"
        )
    rows, columns = np.nonzero(mask.max(1) > 0.5)[0], np.nonzero(mask.max(0) > 0.5)[0]
    if not len(rows):
        raise InputError("face region: the mask is black; paint the face's region white")
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _place(box: Box) -> str:
    return f"{box.left:.0f},{box.top:.0f},{box.width:.0f},{box.height:.0f}"
