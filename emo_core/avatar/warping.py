"""Bend a real mouth so that its points lie on those of another: a smooth warp through landmarks (thin-plate spline, Bookstein 1989).

Shape legend: N control points, P side of the patch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ..face import mesh_points as mesh

FIXED = (
    *(4, 5, 195, 197, 98, 327, 2, 48, 278, 50, 280, 205, 425, 207, 427, 192, 416, 213, 433),
    *(58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 132, 361, 234, 454),
    *(18, 200, 199, 83, 313),
)
"""Nose, cheeks, jaw and chin."""
LIPS = (
    *mesh.OUTER_LIPS_UPPER[::2],
    *mesh.OUTER_LIPS_LOWER[2:-1:2],
    *mesh.INNER_LIPS_UPPER,
    *mesh.INNER_LIPS_LOWER[1:-1],
)
CONTROL = (*FIXED, *LIPS)
"""Landmarks that the warp moves."""
FRAME = tuple((x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0) if (x, y) != (0.5, 0.5))
"""Places on the patch's border that stay, as shares of its side."""
STIFF = 5.0
"""How far a control point may be missed for a smoother warp, in squared pixels of a patch of 128, roughly."""
GRID = 25
"""Places across and down at which the warp is computed; between them it is interpolated."""

SKIN = ((0.02, 0.3), (0.25, 0.75))
"""Rows and columns of the patch, as shares of its side, that show cheeks and nose of any head."""
GAIN = 1.5
"""Largest change of a colour from one light to another."""


def fitted(mouths: np.ndarray, points: np.ndarray, wanted: np.ndarray, bases: np.ndarray) -> np.ndarray:
    """Real mouths (B, P, P, 3) with points (B, 478, 2), bent to others and in the light of the bases, see below."""
    return np.stack(
        [
            bent(in_light_of(mouth, base), own, other)
            for mouth, own, other, base in zip(mouths, points, wanted, bases, strict=True)
        ]
    )


def bent(patch: np.ndarray, points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Bend a patch.

    Args:
        patch: (P, P, 3) uint8.
        points: (478, 2) of what it shows, in its pixels.
        wanted: (478, 2) where they shall lie.

    Returns:
        (P, P, 3) uint8.
    """
    size = len(patch)
    flow = torch.from_numpy(backward_flow(points[list(CONTROL)] / size, wanted[list(CONTROL)] / size)).float()
    flow = functional.interpolate(flow.permute(2, 0, 1)[None], (size, size), mode="bilinear")[0]
    place = (torch.arange(size) + 0.5) / size
    grid = torch.stack([place[None] + flow[0], place[:, None] + flow[1]], dim=-1) * 2 - 1
    picture = torch.from_numpy(patch).permute(2, 0, 1)[None].float()
    moved = functional.grid_sample(picture, grid[None], "bicubic", "border", align_corners=False)
    return moved[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def in_light_of(mouth: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Give a real mouth (P, P, 3) uint8 the light of a base (P, P, 3) uint8, by the colour of the skin above the mouth."""
    gain = np.clip(skin_colour(base) / np.maximum(skin_colour(mouth), 1), 1 / GAIN, GAIN)
    return np.clip(np.round(mouth * gain.astype(np.float32)), 0, 255).astype(np.uint8)


def skin_colour(patch: np.ndarray) -> np.ndarray:
    """(3,) mean colour of cheeks and nose in a patch (P, P, 3) uint8, which speech hardly moves."""
    (top, bottom), (left, right) = ((round(len(patch) * share) for share in part) for part in SKIN)
    return patch[top:bottom, left:right].mean((0, 1))


def backward_flow(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(N, 2) points and (N, 2) where they shall lie, as shares of the side, to (GRID, GRID, 2): from each place to its source."""
    frame = np.array(FRAME)
    centres = np.concatenate([wanted, frame])
    shifts = np.concatenate([points - wanted, np.zeros_like(frame)])
    count = len(centres)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _radial(centres, centres) + np.eye(count) * STIFF / 128**2
    system[:count, count:] = np.concatenate([np.ones((count, 1)), centres], axis=1)
    system[count:, :count] = system[:count, count:].T
    # NumPy's BLAS would use all cores for a system of a hundred, and wait for them.
    wanted_shifts = torch.from_numpy(np.concatenate([shifts, np.zeros((3, 2))]))
    weights = torch.linalg.solve(torch.from_numpy(system), wanted_shifts).numpy()
    axis = (np.arange(GRID) + 0.5) / GRID
    places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    flow = _radial(places, centres) @ weights[:count] + weights[count] + places @ weights[count + 1 :]
    return flow.reshape(GRID, GRID, 2)


def _radial(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    squares = np.square(one[:, None] - two[None]).sum(-1)
    return squares * np.log(np.maximum(squares, 1e-12))
