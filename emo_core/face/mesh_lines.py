"""Pictures of the rig's face as lines: lips, lids, brows and outline, and all edges of the mesh if wanted.

Shape legend: S side of the picture in pixels.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from . import mesh_points as mesh
from .mesh_view import BACKGROUND, FINER, MeshView
from .rig import FaceRig

Colour = tuple[int, int, int]
EDGE: Colour = (84, 104, 132)
CONTOUR: Colour = (236, 226, 208)
LIPS: Colour = (214, 92, 92)
IRIS: Colour = (90, 150, 200)


class LinePicture:
    """Draws a rig's points."""

    def __init__(self, rig: FaceRig, view: MeshView, *, edges: bool) -> None:
        """Prepare pictures of one size."""
        self._view = view
        self._edges = _skin_edges(rig) if edges else np.empty((0, 2), int)

    def draw(self, points: np.ndarray) -> np.ndarray:
        """Points (478, 3) to (S, S, 3) uint8."""
        size = self._view.size
        picture = Image.new("RGB", (self._view.side, self._view.side), BACKGROUND)
        places = self._view.places(points)
        pen = ImageDraw.Draw(picture)
        for start, end in self._edges:
            pen.line([*places[start], *places[end]], fill=EDGE, width=FINER)
        self._contours(picture, places)
        return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))

    def _contours(self, picture: Image.Image, places: np.ndarray) -> None:
        pen, width = ImageDraw.Draw(picture), max(FINER, round(self._view.size * FINER / 220))
        for upper, lower, iris in mesh.EYES:
            ring = _ring(places, upper, lower)
            radius = np.linalg.norm(places[list(iris[1:])] - places[iris[0]], axis=1).mean()
            if places[list(lower), 1].mean() - places[list(upper), 1].mean() > radius / 2:
                _iris(picture, ring, places[iris[0]], radius)
            _closed_line(pen, ring, CONTOUR, width)
        for upper, lower in (
            (mesh.OUTER_LIPS_UPPER, mesh.OUTER_LIPS_LOWER),
            (mesh.INNER_LIPS_UPPER, mesh.INNER_LIPS_LOWER),
        ):
            _closed_line(pen, _ring(places, upper, lower), LIPS, width)
        for brow in (mesh.RIGHT_BROW, mesh.LEFT_BROW):
            half = len(brow) // 2
            pen.polygon(_ring(places, brow[:half], brow[half:]), fill=CONTOUR)
        _closed_line(pen, [tuple(place) for place in places[list(mesh.FACE_OVAL)]], CONTOUR, width)


def _skin_edges(rig: FaceRig) -> np.ndarray:
    """(E, 2) edges of the mesh without those that fill eyes and mouth."""
    holes = [[*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER], *([*upper, *lower] for upper, lower, _ in mesh.EYES)]
    filled = np.any([np.isin(rig.triangles, hole).all(1) for hole in holes], axis=0)
    skin = rig.triangles[~filled]
    edges = np.concatenate([skin[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    return np.unique(np.sort(edges, axis=1), axis=0)


def _iris(picture: Image.Image, ring: list, centre: np.ndarray, radius: float) -> None:
    """Iris and pupil, cut off by the lids."""
    left, top = (int(np.floor(min(axis))) for axis in zip(*ring, strict=True))
    right, bottom = (int(np.ceil(max(axis))) for axis in zip(*ring, strict=True))
    box = (max(left, 0), max(top, 0), right + 1, bottom + 1)
    if box[2] <= box[0] or box[3] <= box[1]:
        return  # Outside the picture.
    part = picture.crop(box)
    mask, pen = Image.new("L", part.size), ImageDraw.Draw(part)
    ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in ring], fill=255)
    x, y = centre - box[:2]
    for size, colour in ((radius, IRIS), (radius / 2, BACKGROUND)):
        pen.ellipse([x - size, y - size, x + size, y + size], fill=colour)
    picture.paste(part, box[:2], mask)


def _ring(places: np.ndarray, upper: Sequence[int], lower: Sequence[int]) -> list[tuple[float, float]]:
    """A closed outline: along the upper points and back along the lower ones."""
    return [tuple(place) for place in places[[*upper, *lower[::-1]]]]


def _closed_line(pen: ImageDraw.ImageDraw, places: list, colour: Colour, width: int) -> None:
    pen.line([*places, places[0]], fill=colour, width=width, joint="curve")
