"""The face region: boxes over time -> their union -> the mask M that the Face Locator takes (paper section 3.2)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .box import Box
from .detect import FaceDetector

MIN_SIDE = 64
"""Pixels: a smaller portrait has nothing to animate."""


@dataclass(frozen=True, slots=True)
class RegionRequest:
    """How the user wants the face region to be chosen."""

    kind: Literal["auto", "none", "box"] = "auto"
    """auto: detect; none: the whole picture, anywhere the model likes; box: as given."""
    box: Box | None = None
    """For `box`: the face, in pixels of the portrait."""
    expand: float = 1.1
    """The region is the face box scaled by this: a larger region allows more head motion (paper figure 7)."""
    face_index: int | None = None
    """Which face, 0 is the largest; None: there must be exactly one."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.expand <= 10:
            raise InputError(f"expand: got {self.expand}; expected 0.1 .. 10 (1.1 is usual, larger allows more motion)")

    @classmethod
    def parse(cls, text: str, *, expand: float = 1.1, face_index: int | None = None) -> "RegionRequest":
        """Read `auto`, `none` or `x,y,w,h` in pixels of the portrait.

        Raises:
            InputError: for anything else.
        """
        if text in ("auto", "none"):
            return cls(text, None, expand, face_index)
        try:
            x, y, w, h = (float(part) for part in text.split(","))
        except ValueError:
            raise InputError(f"face region: got {text!r}; expected auto, none or x,y,w,h in pixels") from None
        if w <= 0 or h <= 0:
            raise InputError(f"face region: got width {w:g} and height {h:g}; both must be above 0")
        return cls("box", Box(x, y, x + w, y + h), expand, face_index)


def find_face(image: np.ndarray, request: RegionRequest, detector: FaceDetector | None) -> Box | None:
    """The face box in a portrait (H, W, 3) uint8, in its pixels; None for the whole picture.

    Raises:
        InputError: where the picture is too small, has no face, or several and none is chosen.
    """
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise InputError(f"portrait: {width} x {height} pixels; give one of at least {MIN_SIDE} x {MIN_SIDE}")
    if request.kind == "none":
        return None
    if request.kind == "box":
        box = request.box
        if box.right <= 0 or box.bottom <= 0 or box.left >= width or box.top >= height:
            raise InputError(
                f"face region: the box lies outside the {width} x {height} portrait; give x,y,w,h inside it"
            )
        return box
    faces = detector.detect(image)
    if not faces:
        raise InputError(
            f"portrait: no face found in the {width} x {height} picture; give a clear frontal face, or its place as x,y,w,h"
        )
    if request.face_index is None:
        if len(faces) > 1:
            places = "; ".join(f"{i}: {_place(face.box)}" for i, face in enumerate(faces))
            raise InputError(f"portrait: {len(faces)} faces found ({places}); choose one by its number (face index)")
        return faces[0].box
    if not 0 <= request.face_index < len(faces):
        raise InputError(f"face index: got {request.face_index}; the portrait has {len(faces)}, counted from 0")
    return faces[request.face_index].box


def region_mask(region: Box | None, picture: int, size: int) -> Tensor:
    """Draw the region as the Face Locator's mask.

    Args:
        region: in pixels of the model's square picture; None is all-white.
        picture: side of that picture.
        size: side of the mask.

    Returns:
        (size, size) float32: the covered share of each cell.
    """
    if region is None:
        return torch.ones(size, size)
    scale = size / picture
    rows = _covered(region.top * scale, region.bottom * scale, size)
    columns = _covered(region.left * scale, region.right * scale, size)
    return rows[:, None] * columns[None]


def _covered(low: float, high: float, size: int) -> Tensor:
    cells = torch.arange(size, dtype=torch.float32)
    return (torch.clamp(cells + 1, max=high) - torch.clamp(cells, min=low)).clamp(0, 1)


def _place(box: Box) -> str:
    return f"{box.left:.0f},{box.top:.0f},{box.width:.0f},{box.height:.0f}"
