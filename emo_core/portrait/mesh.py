"""The mesh that moves a portrait: its face, rings of hair, neck and shoulders around it, and the fixed border.

Shape legend: V vertices = 468 points of the face, then rings of 36.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ..face.mesh_points import FACE_OVAL
from .shape import PortraitShape

FACE_POINTS = 468
"""Face mesh points without the irises."""
RINGS = (1.12, 1.3, 1.55, 1.9, 2.4)
"""Distance of each ring from the face's centre, over the face's outline."""
WITH_HEAD = (1.0, 0.9, 0.65, 0.32, 0.1)
"""Share of the head's turns and shifts that hair at each ring takes part in."""
WITH_HEAD_BELOW = (0.85, 0.5, 0.22, 0.08, 0.0)
"""The same for neck and shoulders."""
WITH_JAW = (0.6, 0.3, 0.12, 0.04, 0.0)
"""Share of the outline's expression."""
INSIDE = 0.96
"""A ring reaches at most so far to the border."""


@dataclass(frozen=True, slots=True)
class WarpMesh:
    """Vertices of the still, and the triangles between them."""

    source: np.ndarray
    """(V, 2) pixels."""
    depth: np.ndarray
    """(V - 468, 3) aligned position of the ring vertices, for head turns."""
    with_head: np.ndarray
    """(rings, 36)"""
    rings: np.ndarray
    """(T1, 3) triangles around the face, drawn first."""
    face: np.ndarray
    """(T2, 3) triangles of the face."""

    @classmethod
    def around(cls, shape: PortraitShape, size: int, triangles: np.ndarray) -> "WarpMesh":
        """Build the mesh of a portrait in a square of `size` pixels; `triangles` (T, 3) are the face mesh's."""
        face = shape.landmarks[:FACE_POINTS, :2]
        oval, centre = face[list(FACE_OVAL)], face[list(FACE_OVAL)].mean(0)
        border = _border(centre, oval - centre, size)
        reach = np.linalg.norm(border - centre, axis=1) / np.linalg.norm(oval - centre, axis=1)
        # Near the border, rings move together instead of through it.
        factors = [np.minimum(ring, 1 + (reach - 1) * INSIDE * (ring - 1) / (RINGS[-1] - 1)) for ring in RINGS]
        factors = [np.where(reach > 1, factor, reach) for factor in factors]
        points = [centre + (oval - centre) * factor[:, None] for factor in factors]
        below = np.clip((oval[:, 1] - centre[1]) / np.abs(oval - centre).max() * 1.6 - 0.3, 0, 1)
        with_head = np.stack([a + (b - a) * below for a, b in zip(WITH_HEAD, WITH_HEAD_BELOW, strict=True)])
        room = np.clip((reach - 1) / 0.5, 0, 1)
        ids = [np.array(FACE_OVAL)] + [
            FACE_POINTS + len(FACE_OVAL) * ring + np.arange(len(FACE_OVAL)) for ring in range(len(RINGS) + 1)
        ]
        strips = [_strip(inner, outer) for inner, outer in itertools.pairwise(ids)]
        return cls(
            source=np.concatenate([face, *points, border]),
            depth=_aligned(np.concatenate(points), shape),
            with_head=with_head * np.minimum(1, 0.35 + room),
            rings=np.concatenate(strips[::-1]),
            face=triangles,
        )

    def target(self, posed: np.ndarray, still: np.ndarray, ring_posed: np.ndarray) -> np.ndarray:
        """Where all vertices go.

        Args:
            posed: (F, 478, 3) the face's points in pixels.
            still: (F, 478, 3) the points of the still's own expression, with the head's motion.
            ring_posed: (F, V - 468, 3) `depth` with the head's motion.

        Returns:
            (F, V, 2) pixels.
        """
        oval = list(FACE_OVAL)
        frames, count = len(posed), len(oval)
        start = self.source[FACE_POINTS : FACE_POINTS + len(RINGS) * count].reshape(len(RINGS), count, 2)
        turned = ring_posed[..., :2].reshape(frames, len(RINGS), count, 2)
        expression = (posed - still)[:, oval, :2]
        jaw = np.array(WITH_JAW)[:, None, None] * expression[:, None]
        rings = start + self.with_head[..., None] * (turned - start) + jaw
        border = np.broadcast_to(self.source[-count:], (frames, count, 2))
        return np.concatenate([posed[:, :FACE_POINTS, :2], rings.reshape(frames, -1, 2), border], axis=1)


def _border(centre: np.ndarray, rays: np.ndarray, size: int) -> np.ndarray:
    """(36, 2) where rays from the centre meet the square's border."""
    with np.errstate(divide="ignore"):
        limits = np.where(rays > 0, (size - centre) / rays, -centre / rays)
    steps = np.where(rays == 0, np.inf, limits).min(1)
    return centre + rays * np.maximum(steps, 1.0)[:, None]


def _aligned(points: np.ndarray, shape: PortraitShape) -> np.ndarray:
    """(N, 2) pixels as aligned points, at the depth of the face's outline."""
    outline = shape.landmarks[list(FACE_OVAL)]
    depth = np.tile(outline[:, 2], len(points) // len(outline))
    camera = np.concatenate([points, depth[:, None]], axis=1) * [1, -1, -1]
    return (camera - shape.shift) @ shape.rotation / shape.scale


def _strip(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(2 n, 3) triangles between two closed rings of n vertices."""
    after = np.roll(np.arange(len(inner)), -1)
    first = np.stack([inner, inner[after], outer], axis=1)
    return np.concatenate([first, np.stack([inner[after], outer[after], outer], axis=1)])
