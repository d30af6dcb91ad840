"""The lower face as a patch that rests on the skull, and where its points go in another mouth's motion.

The patch reaches from under the eyes to under the open chin, a little wider than the jaw. It follows the head's place, size and
tilt in the picture, never the speech, so that teeth rest in it. Places count from the upper left corner; the middle of the
first pixel lies at .5.

Shape legend: F frames, S side of the squares, P side of the patch in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..face.alignment import TO_RIG, align
from ..face.coefficients import MOUTH
from ..face.mesh_points import CHIN, INNER_LIPS_LOWER, INNER_LIPS_UPPER
from ..face.motion import FaceMotion
from ..face.rig import FaceRig
from ..face.rig_fit import person_sizes
from ..smoothing import gaussian
from .raster import Canvas, blurred, inverse, warped

SPAN = 1.7
"""Side of the patch in distances of the outer eye corners."""
BELOW = 0.5
"""Room under the neutral chin for an open one, in the same unit."""
DEPTH = -0.1
"""Of the patch's middle from the eye corners: lips and jaw lie around it, so a turning head moves it as them."""
SMOOTH = 1.0
"""Standard deviation in frames of the Gaussian over the patch's way. Landmarks of a track are smooth already."""
EDGE = 0.07
"""Share of the patch's side over which it fades into the picture."""
SPOKEN = (
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172),
    *(98, 2, 327, 205, 425, 207, 427, 213, 433),
)
"""Jaw, base of the nose and cheeks: speech moves the skin inside their hull."""
REACH = 0.03
"""How far the spoken region reaches beyond these points, as a share of the patch's side."""
SOFT = 0.03
"""Standard deviation of its edge, as a share of the patch's side."""
KEEP = 0.06
"""Difference of two openings, in distances of the outer eye corners, over which what is one's own is lost in the other."""


@dataclass(frozen=True, slots=True)
class PatchPlace:
    """Where the patch lies in F squares."""

    matrices: np.ndarray
    """(F, 2, 3) similarity transforms from pixels of the squares to pixels of the patch."""
    size: int
    """P."""

    @classmethod
    def of(cls, landmarks: np.ndarray, neutral: np.ndarray, size: int, *, smooth: float = SMOOTH) -> PatchPlace:
        """Place patches of side P = `size` on successive frames.

        Args:
            landmarks: (F, 478, 3) pixels of the squares.
            neutral: (478, 3) the person's neutral face, aligned.
            size: P.
            smooth: standard deviation in frames; 0 for single pictures.
        """
        aligned = align(landmarks)
        centre = np.array([0, neutral[CHIN, 1] - BELOW + SPAN / 2, DEPTH])
        middle = aligned.place(np.broadcast_to(centre, (len(landmarks), 1, 3)))[:, 0, :2]
        # The face's axis to the right as the picture shows it; its length is left out, so a turned head is not magnified.
        across = aligned.rotation[:, :2, 0] * TO_RIG[:2]
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        way = gaussian(np.concatenate([middle, np.log(aligned.scale)[:, None], across], axis=1), smooth)
        middle, scale, across = way[:, :2], np.exp(way[:, 2]), way[:, 3:]
        across = across / np.linalg.norm(across, axis=1, keepdims=True)
        zoom = size / (SPAN * scale)
        turn = np.stack([across, across[:, ::-1] * (-1, 1)], axis=1) * zoom[:, None, None]
        shift = size / 2 - np.einsum("fij,fj->fi", turn, middle)
        return cls(np.concatenate([turn, shift[..., None]], axis=2), size)

    def __len__(self) -> int:
        """F."""
        return len(self.matrices)

    def __getitem__(self, frames: slice | np.ndarray) -> PatchPlace:
        """Some of the frames."""
        return PatchPlace(self.matrices[frames], self.size)

    def inside(self, points: np.ndarray, *, frames: slice = slice(None)) -> np.ndarray:
        """Points of some frames' squares (F, N, 2 or 3) in pixels of the patches: (F, N, 2)."""
        matrices = self.matrices[frames]
        return points[..., :2] @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]

    def cut(self, picture: np.ndarray, frame: int) -> np.ndarray:
        """The patch of a square: (S, S, 3) uint8 to (P, P, 3) uint8. Borders are repeated."""
        matrix = self.matrices[frame]
        zoom = np.linalg.norm(matrix[0, :2])
        if zoom < 0.75:  # Sixteen pixels are read for each: more are averaged before.
            picture = blurred(picture, 0.45 * np.sqrt(1 / zoom**2 - 1))
        return warped(picture, matrix, (self.size, self.size))

    def lay(self, picture: np.ndarray, patch: np.ndarray, mask: np.ndarray, frame: int) -> np.ndarray:
        """Lay a patch over a square. Where the mask is 0, the square stays as it is, bit by bit.

        Args:
            picture: (S, S, 3) uint8.
            patch: (P, P, 3) uint8 or float32 0 .. 255.
            mask: (P, P) float32 0 .. 1.
            frame: number of the frame.

        Returns:
            (S, S, 3) uint8.
        """
        back, side = inverse(self.matrices[frame]), self.size
        corners = np.array([[0, 0], [0, side], [side, 0], [side, side]]) @ back[:, :2].T + back[:, 2]
        low = np.maximum(np.floor(corners.min(0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int) + 3, picture.shape[1::-1])
        laid = picture.copy()
        if (high <= low).any():
            return laid  # The patch lies outside the picture.
        back[:, 2] -= low
        width, height = (high - low).tolist()
        if patch.dtype != np.uint8:
            patch = np.clip(np.round(patch), 0, 255).astype(np.uint8)
        drawn = warped(patch, back, (width, height)).astype(np.float32)
        cover = warped(mask.astype(np.float32, copy=False), back, (width, height))[..., None]
        part = laid[low[1] : high[1], low[0] : high[0]]
        part[:] = np.clip(np.round(part + cover * (drawn - part)), 0, 255)
        return laid


def window(size: int) -> np.ndarray:
    """(P, P) float32: 0 on the patch's border, 1 inside."""
    place = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5) - 1
    ramp = np.clip(place / (EDGE * size), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return (ramp[:, None] * ramp[None]).astype(np.float32)


def spoken_region(points: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Where speech moves the skin, with a soft edge.

    Args:
        points: of one face with one or several mouths, (478, 2) each, in pixels of the patch: the region covers all of them.
        size: P.

    Returns:
        (P, P) float32, 1 inside, 0 on the patch's border.
    """
    from scipy.ndimage import gaussian_filter  # A third of a second to import.
    from scipy.spatial import ConvexHull

    spoken = np.concatenate([each[list(SPOKEN)] for each in points])
    hull = spoken[ConvexHull(spoken).vertices]
    middle = hull.mean(0)
    reach = (REACH + 2 * SOFT) * size
    away = hull - middle
    hull = hull + away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6) * reach
    canvas = Canvas(size)
    canvas.fill(hull)
    region = gaussian_filter(canvas.drawn().astype(np.float32) / 255, SOFT * size, truncate=3.0)
    return region * window(size)


def place_points(
    base_landmarks: np.ndarray,
    base_motion: FaceMotion,
    target_motion: FaceMotion,
    neutral: np.ndarray,
    rig: FaceRig,
) -> np.ndarray:
    """A face's points with another mouth: what the mouth's curves do not move stays exactly.

    The base's points carry what the rig cannot say, and noise. Both stay, but the gap between the lips is the target's own where
    the base's mouth is open otherwise: lips close also on a base whose fit leaves them apart.

    Args:
        base_landmarks: (F, 478, 3) pixels.
        base_motion: F frames that the landmarks show.
        target_motion: F frames whose mouth is wanted.
        neutral: (478, 3) the person's, aligned.
        rig: of the motions.

    Returns:
        (F, 478, 3) pixels.
    """
    columns = [rig.names.index(name) for name in MOUTH if name in rig.names]
    basis = rig.basis[columns] * person_sizes(neutral, rig)
    names = [rig.names[column] for column in columns]
    base, target = (np.asarray(motion.curves(names), np.float64) for motion in (base_motion, target_motion))
    aligned = align(base_landmarks)
    points = aligned.points + np.einsum("fk,kpi->fpi", target - base, basis)
    upper, lower = list(INNER_LIPS_UPPER[1:-1]), list(INNER_LIPS_LOWER[1:-1])

    def gap(faces: np.ndarray) -> np.ndarray:
        return faces[:, upper, 1] - faces[:, lower, 1]

    fitted = [gap(neutral + np.einsum("fk,kpi->fpi", curves, basis)) for curves in (base, target)]
    # What the base's lips have beyond its fit, less of it the farther the target is from the base.
    share = np.exp(-np.abs(fitted[1] - fitted[0]).max(1, keepdims=True) / KEEP)
    wanted = np.maximum(fitted[1] + share * (gap(aligned.points) - fitted[0]), 0)
    moved = (wanted - gap(points)) / 2
    points[:, upper, 1] += moved
    points[:, lower, 1] -= moved
    placed = aligned.place(points)
    still = np.abs(placed - base_landmarks).max(-1, keepdims=True) < 1e-9
    return np.where(still, base_landmarks, placed)
