"""Draw a face motion as a film of the rig's face.

Shape legend: F frames, S side of the picture in pixels.
"""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from ..errors import InputError
from .mesh_lines import LinePicture
from .mesh_picture import SurfacePicture
from .mesh_view import MeshView
from .motion import FaceMotion
from .rig import FaceRig

DrawingMode = Literal["shaded", "mesh", "contours"]
MODES: tuple[DrawingMode, ...] = get_args(DrawingMode)
"""shaded: a lit surface with brows, lips, eyes and teeth; mesh: all edges with contours; contours: lips, lids, brows and
outline only."""
SIZES = (64, 2048)
"""Least and largest S."""
BLOCK = 64
"""Frames whose points are computed at a time."""


def draw_motion(
    motion: FaceMotion, rig: FaceRig, *, size: int = 384, mode: DrawingMode = "shaded"
) -> Iterator[np.ndarray]:
    """Draw every frame: (S, S, 3) uint8, one after another.

    Raises:
        InputError: if `size` is out of range, or the mode is unknown.
    """
    low, high = SIZES
    if not low <= size <= high:
        raise InputError(f"size: got {size}; expected {low} .. {high} pixels")
    if mode not in MODES:
        raise InputError(f"style: got {mode!r}; expected {', '.join(MODES)}")
    view = MeshView.of(rig, size)
    return _surfaces(motion, rig, view) if mode == "shaded" else _lines(motion, rig, view, edges=mode == "mesh")


def _surfaces(motion: FaceMotion, rig: FaceRig, view: MeshView) -> Iterator[np.ndarray]:
    picture = SurfacePicture(rig, view)
    for part in _blocks(motion):
        yield from map(picture.draw, picture.surface.moving(part, rig))


def _lines(motion: FaceMotion, rig: FaceRig, view: MeshView, *, edges: bool) -> Iterator[np.ndarray]:
    picture = LinePicture(rig, view, edges=edges)
    for part in _blocks(motion):
        yield from map(picture.draw, rig.points(part))


def _blocks(motion: FaceMotion) -> Iterator[FaceMotion]:
    for start in range(0, len(motion), BLOCK):
        yield motion[start : start + BLOCK]
