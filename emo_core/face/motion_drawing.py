"""Draw a face motion as a film of the rig's face.

Shape legend: F frames, S side of the picture in pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageDraw

from ..errors import InputError
from . import mesh_points as mesh
from .motion import FaceMotion
from .rig import FaceRig

DrawingMode = Literal["shaded", "mesh", "contours"]
MODES: tuple[DrawingMode, ...] = get_args(DrawingMode)
"""shaded: a lit surface with contours; mesh: all edges with contours; contours: lips, lids, brows and outline only."""
SIZES = (64, 2048)
"""Least and largest S."""
HEIGHT = 2.4
"""Height of the picture in distances of the outer eye corners."""
FINER = 2
"""Pictures are drawn larger by this and scaled down, so that lines are smooth."""
BLOCK = 64
"""Frames whose points are computed at a time."""
LIGHT = np.array([-0.35, 0.45, 0.82])
"""Direction to the light: from the upper left, in front."""
AMBIENT = 0.35
"""Brightness of a surface that the light does not reach."""
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """RGB, 0 .. 255."""

    background: Colour = (24, 26, 32)
    skin: Colour = (198, 170, 150)
    edge: Colour = (84, 104, 132)
    contour: Colour = (236, 226, 208)
    lips: Colour = (214, 92, 92)
    iris: Colour = (90, 150, 200)
    eye: Colour = (232, 232, 232)
    mouth: Colour = (58, 22, 26)


def draw_motion(
    motion: FaceMotion, rig: FaceRig, *, size: int = 384, mode: DrawingMode = "shaded", colours: Colours | None = None
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
    return _frames(motion, rig, _Drawing(rig, size, mode, colours or Colours()))


def _frames(motion: FaceMotion, rig: FaceRig, drawing: "_Drawing") -> Iterator[np.ndarray]:
    for start in range(0, len(motion), BLOCK):
        for points in rig.points(motion[start : start + BLOCK]):
            yield drawing.draw(points)


class _Drawing:
    """One way to draw a face."""

    def __init__(self, rig: FaceRig, size: int, mode: DrawingMode, colours: Colours) -> None:
        self._size, self._mode, self._colours = size, mode, colours
        self._middle = (rig.mean.min(0) + rig.mean.max(0))[:2] / 2
        triangles = rig.triangles
        eyes = [np.isin(triangles, list(ring)).all(1) for ring in _eye_points()]
        inside = np.isin(triangles, [*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER]).all(1)
        self._skin = triangles[~(inside | eyes[0] | eyes[1])]
        edges = np.concatenate([self._skin[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
        self._edges = np.unique(np.sort(edges, axis=1), axis=0)

    def draw(self, points: np.ndarray) -> np.ndarray:
        """Points (478, 3) to (S, S, 3) uint8."""
        side = self._size * FINER
        picture = Image.new("RGB", (side, side), self._colours.background)
        pen = ImageDraw.Draw(picture)
        places = ((points[:, :2] - self._middle) * [1, -1] / HEIGHT + 0.5) * side
        if self._mode == "shaded":
            self._surface(pen, points, places)
        if self._mode == "mesh":
            for start, end in self._edges:
                pen.line([*places[start], *places[end]], fill=self._colours.edge, width=FINER)
        self._features(picture, places)
        return np.asarray(picture.resize((self._size, self._size), Image.Resampling.LANCZOS))

    def _surface(self, pen: ImageDraw.ImageDraw, points: np.ndarray, places: np.ndarray) -> None:
        """The lit skin, the nearest triangle last."""
        corners = points[self._skin]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals *= np.sign(normals[:, 2:]) / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        light = AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1)
        shades = np.clip(light[:, None] * np.array(self._colours.skin), 0, 255).astype(int)
        for number in np.argsort(corners[:, :, 2].mean(1)):
            shade = tuple(map(int, shades[number]))
            pen.polygon([tuple(place) for place in places[self._skin[number]]], fill=shade, outline=shade)

    def _eyeball(self, picture: Image.Image, ring: list, iris: np.ndarray, radius: float) -> None:
        """White and iris, cut off by the lids."""
        left, top = (int(np.floor(min(axis))) for axis in zip(*ring, strict=True))
        right, bottom = (int(np.ceil(max(axis))) for axis in zip(*ring, strict=True))
        colours, box = self._colours, (max(left, 0), max(top, 0), right + 1, bottom + 1)
        if box[2] <= box[0] or box[3] <= box[1]:
            return  # Outside the picture.
        part = picture.crop(box)
        mask, pen = Image.new("L", part.size), ImageDraw.Draw(part)
        ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in ring], fill=255)
        if self._mode == "shaded":
            pen.rectangle([0, 0, *part.size], fill=colours.eye)
        x, y = iris - box[:2]
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colours.iris)
        pen.ellipse([x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2], fill=colours.background)
        picture.paste(part, box[:2], mask)

    def _features(self, picture: Image.Image, places: np.ndarray) -> None:
        """Eyes, mouth, brows and outline."""
        pen = ImageDraw.Draw(picture)
        colours, width = self._colours, max(FINER, round(self._size * FINER / 220))
        fills = self._mode == "shaded"
        for upper, lower, iris in _eyes():
            ring = _ring(places, upper, lower)
            radius = np.linalg.norm(places[list(iris[1:])] - places[iris[0]], axis=1).mean()
            if places[list(lower), 1].mean() - places[list(upper), 1].mean() > radius / 2:
                self._eyeball(picture, ring, places[iris[0]], radius)
            _line(pen, ring, colours.contour, width, closed=True)
        inner = _ring(places, mesh.INNER_LIPS_UPPER, mesh.INNER_LIPS_LOWER)
        if fills:
            pen.polygon(_ring(places, mesh.OUTER_LIPS_UPPER, mesh.OUTER_LIPS_LOWER), fill=colours.lips)
            pen.polygon(inner, fill=colours.mouth)
        else:
            outer = _ring(places, mesh.OUTER_LIPS_UPPER, mesh.OUTER_LIPS_LOWER)
            _line(pen, outer, colours.lips, width, closed=True)
        _line(pen, inner, colours.lips if not fills else colours.mouth, width, closed=True)
        for brow in (mesh.RIGHT_BROW, mesh.LEFT_BROW):
            half = len(brow) // 2
            pen.polygon(_ring(places, brow[:half], brow[half:]), fill=colours.contour if not fills else colours.mouth)
        if not fills:
            _line(pen, [tuple(place) for place in places[list(mesh.FACE_OVAL)]], colours.contour, width, closed=True)


def _eyes() -> Iterator[tuple[Sequence[int], Sequence[int], Sequence[int]]]:
    """Upper lid, lower lid and iris of both eyes."""
    yield mesh.RIGHT_LID_UPPER, mesh.RIGHT_LID_LOWER, mesh.RIGHT_IRIS
    yield mesh.LEFT_LID_UPPER, mesh.LEFT_LID_LOWER, mesh.LEFT_IRIS


def _eye_points() -> list[set[int]]:
    return [{*upper, *lower, *iris} for upper, lower, iris in _eyes()]


def _ring(places: np.ndarray, upper: Sequence[int], lower: Sequence[int]) -> list[tuple[float, float]]:
    """A closed outline: along the upper points and back along the lower ones."""
    return [tuple(place) for place in places[[*upper, *lower[::-1]]]]


def _line(pen: ImageDraw.ImageDraw, places: list, colour: Colour, width: int, *, closed: bool) -> None:
    pen.line([*places, places[0]] if closed else places, fill=colour, width=width, joint="curve")
