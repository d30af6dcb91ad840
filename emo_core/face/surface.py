"""The rig's face as one coloured surface: skin, lips, brows, lashes, eyes, teeth and the inside of the mouth.

Each vertex is a weighted sum of the rig's 478 points plus a fixed shift, so that it moves with the same coefficients.
Shape legend: V vertices, T triangles, K coefficients. Units as in `rig`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from . import mesh_points as mesh
from .motion import FaceMotion
from .rig import POINTS, FaceRig
from .rotation import rotation_matrices

Colour = tuple[int, int, int]
EYEBALL_BEHIND, IRIS_BEHIND, PUPIL_BEHIND = 0.055, 0.035, 0.03
"""Shift away from the camera of the rig's iris: the lids cover the iris, which covers the eyeball."""
EYEBALL_RADIUS = 0.25
EYEBALL_RINGS = ((0.08, 0.07), (0.15, 0.11), (0.23, 0.15))
"""Width and height to each side of the rings of vertices on the eyeball."""
MOUTH_DEPTH = 0.16
TEETH_BEHIND, TEETH_ABOVE, TEETH_BELOW = 0.05, 0.1, 0.075
"""Upper teeth: behind the lips, from above the line of the closed lips to below it."""
BROW_AHEAD = 0.02
BROW_SPAN = ((0.1, 0.85), (0.1, 0.95), (0.1, 0.9), (0.1, 0.85), (0.3, 0.7))
"""Lower and upper edge of a brow between the rig's two rows of points, from its inner to its outer end."""
LASH_AHEAD, LASH_SIZE = 0.012, (0.004, 0.012, 0.018, 0.022, 0.024, 0.024, 0.021, 0.014, 0.006)
"""A dark edge on the upper lid, so that a closed eye reads; its height from the outer corner to the inner one."""
IRIS_CORNERS = 20


@dataclass(frozen=True, slots=True)
class SurfaceColours:
    """RGB, 0 .. 255."""

    skin: Colour = (214, 178, 156)
    lips: Colour = (186, 96, 92)
    brow: Colour = (74, 52, 42)
    eyeball: Colour = (240, 238, 234)
    iris: Colour = (86, 122, 142)
    pupil: Colour = (22, 22, 26)
    teeth: Colour = (232, 226, 214)
    mouth: Colour = (62, 20, 24)


@dataclass(frozen=True, slots=True)
class FaceSurface:
    """Vertices, triangles and colours. The first 478 vertices are the rig's points, in its order."""

    weights: np.ndarray
    """(V, 478) shares of the rig's points."""
    shift: np.ndarray
    """(V, 3) fixed shift."""
    triangles: np.ndarray
    """(T, 3) vertices, anticlockwise from outside."""
    colours: np.ndarray
    """(V, 3) uint8 RGB."""
    welded: np.ndarray
    """(V,) the vertex at the same place whose normal a vertex shares; itself for most."""

    def vertices(self, points: np.ndarray) -> np.ndarray:
        """(..., 478, 3) points of the rig, before the head turns, to (..., V, 3)."""
        return self.weights @ points + self.shift

    def offsets(self, basis: np.ndarray) -> np.ndarray:
        """(..., 478, 3) offsets of the rig's points to those of the vertices (..., V, 3)."""
        return self.weights @ basis

    def moving(self, motion: FaceMotion, rig: FaceRig) -> np.ndarray:
        """(F, V, 3) vertices of the rig's mean face in motion, turned and shifted with the head."""
        vertices = self.vertices(rig.mean + rig.offsets(motion))
        return vertices @ rotation_matrices(motion.rotation).transpose(0, 2, 1) + motion.translation[:, None]

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) places of the vertices to their unit normals (V, 3), mean over the triangles around each."""
        a, b, c = (vertices[corner] for corner in self.triangles.T)
        flat = np.cross(b - a, c - a)
        total = np.zeros_like(vertices)
        for corner in self.triangles.T:
            for axis in range(3):
                total[:, axis] += np.bincount(self.welded[corner], flat[:, axis], len(vertices))
        total = total[self.welded]
        length = np.linalg.norm(total, axis=1, keepdims=True)
        return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])


@dataclass(slots=True)
class _Builder:
    """Collects vertices and triangles."""

    weights: list[np.ndarray] = field(default_factory=list)
    shift: list[np.ndarray] = field(default_factory=list)
    colours: list[Colour] = field(default_factory=list)
    welded: list[int] = field(default_factory=list)
    triangles: list[Sequence[int]] = field(default_factory=list)
    unit: np.ndarray = field(default_factory=lambda: np.eye(POINTS))
    """Row n: all of point n."""

    def add(self, weights: np.ndarray, shift: Sequence[float], colour: Colour, weld: int | None = None) -> int:
        """Add a vertex; return its number."""
        self.weights.append(weights)
        self.shift.append(np.asarray(shift, float))
        self.colours.append(colour)
        self.welded.append(len(self.welded) if weld is None else weld)
        return len(self.weights) - 1

    def point(self, number: int, shift: Sequence[float], colour: Colour, weld: int | None = None) -> int:
        """Add a vertex that goes with a point of the rig."""
        return self.add(self.unit[number], shift, colour, weld)

    def strip(self, one: Sequence[int], other: Sequence[int]) -> None:
        """Join two rows of vertices of one length; `other` lies left of the way along `one`, seen from outside."""
        for i in range(len(one) - 1):
            self.triangles += [(one[i], one[i + 1], other[i + 1]), (one[i], other[i + 1], other[i])]

    def fan(self, centre: int, ring: Sequence[int]) -> None:
        """Join a centre to the ring around it, anticlockwise seen from outside."""
        self.triangles += [(centre, a, b) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)]


def face_surface(rig: FaceRig) -> FaceSurface:
    """Build the surface of a rig."""
    colours, made = SurfaceColours(), _Builder()
    for number in range(POINTS):
        made.point(number, (0, 0, 0), colours.skin)
    _skin_and_lips(made, rig, colours, [{*upper, *lower} for upper, lower, _ in mesh.EYES])
    for upper, _, iris in mesh.EYES:
        _eye(made, rig, colours, iris)
        _lash(made, upper, colours.brow, outwards=rig.mean[upper[0], 0])
    _mouth(made, rig, colours)
    for brow, outwards in ((mesh.RIGHT_BROW, -1), (mesh.LEFT_BROW, 1)):
        _brow(made, brow, colours.brow, outwards)
    return FaceSurface(
        weights=np.stack(made.weights),
        shift=np.stack(made.shift),
        triangles=np.array(made.triangles),
        colours=np.array(made.colours, np.uint8),
        welded=np.array(made.welded),
    )


def _skin_and_lips(made: _Builder, rig: FaceRig, colours: SurfaceColours, lids: list[set[int]]) -> None:
    """The rig's triangles without those that fill eyes and mouth; the lips' on vertices of their own."""
    inner = {*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER}
    filled = [inner, *lids]
    lips = _lip_triangles(rig)
    copies: dict[int, int] = {}
    for number, triangle in enumerate(rig.triangles.tolist()):
        if any(part.issuperset(triangle) for part in filled):
            continue
        if number in lips:
            for point in triangle:
                if point not in copies:
                    copies[point] = made.point(point, (0, 0, 0), colours.lips, weld=point)
            triangle = [copies[point] for point in triangle]
        made.triangles.append(triangle)


def _lip_triangles(rig: FaceRig) -> set[int]:
    """Numbers of the triangles inside the outer edge of the lips: reached from the middle without crossing it."""
    rings = (mesh.OUTER_LIPS_UPPER, mesh.OUTER_LIPS_LOWER)
    border = {frozenset(edge) for ring in rings for edge in pairwise(ring)}
    sides: dict[frozenset, list[int]] = {}
    for number, (a, b, c) in enumerate(rig.triangles.tolist()):
        for edge in (frozenset((a, b)), frozenset((b, c)), frozenset((c, a))):
            sides.setdefault(edge, []).append(number)
    middle = mesh.INNER_LIPS_UPPER[len(mesh.INNER_LIPS_UPPER) // 2]
    reached, waiting = set(), [number for number, corners in enumerate(rig.triangles) if middle in corners]
    while waiting:
        number = waiting.pop()
        if number not in reached:
            reached.add(number)
            a, b, c = rig.triangles[number].tolist()
            edges = {frozenset((a, b)), frozenset((b, c)), frozenset((c, a))} - border
            waiting += [other for edge in edges for other in sides[edge]]
    return reached


def _eye(made: _Builder, rig: FaceRig, colours: SurfaceColours, iris: Sequence[int]) -> None:
    """A still, round eyeball behind the lids, and an iris with its pupil that turns before it."""
    angles = 2 * np.pi * np.arange(IRIS_CORNERS) / IRIS_CORNERS
    front, nothing = rig.mean[iris[0]] - np.array([0, 0, EYEBALL_BEHIND]), np.zeros(POINTS)
    middle, rings = made.add(nothing, front, colours.eyeball), []
    for wide, high in EYEBALL_RINGS:
        across, up = wide * np.cos(angles), high * np.sin(angles)
        outwards = np.maximum(
            across * np.sign(front[0]), 0
        )  # Flat towards the nose, where a round one would end too early.
        deep = (outwards**2 + up**2) / (2 * EYEBALL_RADIUS)
        places = front + np.stack([across, up, -deep], axis=1)
        rings.append([made.add(nothing, place, colours.eyeball) for place in places])
    made.fan(middle, rings[0])
    for inner, outer in pairwise(rings):
        made.strip([*outer, outer[0]], [*inner, inner[0]])
    across, up = (made.unit[iris[1]] - made.unit[iris[3]]) / 2, (made.unit[iris[2]] - made.unit[iris[4]]) / 2
    if (across @ rig.mean)[0] < 0:
        across = -across
    for size, colour, behind in ((1.0, colours.iris, IRIS_BEHIND), (0.45, colours.pupil, PUPIL_BEHIND)):
        shift = (0, 0, -behind)
        rim = [made.unit[iris[0]] + size * (np.cos(angle) * across + np.sin(angle) * up) for angle in angles]
        made.fan(made.add(made.unit[iris[0]], shift, colour), [made.add(part, shift, colour) for part in rim])


def _lash(made: _Builder, lid: Sequence[int], colour: Colour, outwards: float) -> None:
    """A strip on the upper lid, from its edge upwards."""
    rows = [
        [
            made.point(number, (0, share * size - 0.004, LASH_AHEAD), colour)
            for number, size in zip(lid, LASH_SIZE, strict=True)
        ]
        for share in (0, 1)
    ]
    made.strip(*(rows if outwards < 0 else [row[::-1] for row in rows]))


def _mouth(made: _Builder, rig: FaceRig, colours: SurfaceColours) -> None:
    """A dark bag behind the lips that opens with them, and upper teeth in it."""
    upper, lower = mesh.INNER_LIPS_UPPER, mesh.INNER_LIPS_LOWER
    back = (0, 0, -MOUTH_DEPTH)
    rims = [[made.point(number, (0, 0, 0), colours.mouth) for number in row] for row in (upper, lower)]
    deep = [[made.point(number, back, colours.mouth) for number in row] for row in (upper, lower)]
    made.strip(rims[0], deep[0])
    made.strip(deep[1], rims[1])
    made.strip(deep[1], deep[0])
    line = rig.mean[list(upper)][1:-1]
    rows = [
        [made.add(np.zeros(POINTS), place + np.array([0, rise, -TEETH_BEHIND]), colours.teeth) for place in line]
        for rise in (-TEETH_BELOW, TEETH_ABOVE)
    ]
    made.strip(*rows)


def _brow(made: _Builder, brow: Sequence[int], colour: Colour, outwards: int) -> None:
    """A strip before the skin; the rig's rows run from the outer end to the inner one."""
    half = len(brow) // 2
    rows: list[list[int]] = [[], []]
    for lower, upper, span in zip(brow[:half][::-1], brow[half:][::-1], BROW_SPAN, strict=True):
        for row, share in zip(rows, span, strict=True):
            row.append(made.add((1 - share) * made.unit[lower] + share * made.unit[upper], (0, 0, BROW_AHEAD), colour))
    made.strip(*(rows if outwards > 0 else [row[::-1] for row in rows]))
