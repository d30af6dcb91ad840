"""How far two motions are apart on the rig's points.

Shape legend: K curves, P points.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...face import mesh_points as mesh
from ...face.rig import FaceRig
from ..closure import opening_of

INNER, OUTER, OVAL, OTHER = 6.0, 3.0, 1.5, 0.3
"""Weights of points: of the inner and outer lips, the face's outline, and all others."""
LIDS, BROWS = 4.0, 2.0
"""Weights where emotions count, too."""
DEPTH = 0.25
"""Weight of depth over height and width."""
SPARE = 2e-4
"""Weight of the squared coefficients themselves, so that none is free."""


@dataclass(frozen=True, slots=True)
class PointSpace:
    """Distances of coefficients as distances of points."""

    metric: Tensor
    """(K, K): difference · metric · difference is the weighted squared distance of the points, over their deviation in speech."""
    opening: Tensor
    """(K,) how each curve opens the inner lips, in heights of the face."""

    def distance(self, difference: Tensor) -> Tensor:
        """(..., K) to (...)."""
        return ((difference @ self.metric) * difference).sum(-1)

    def gap(self, coefficients: Tensor) -> Tensor:
        """(..., K) to (...): opening of the inner lips over that of the neutral face, in heights of the face."""
        return coefficients @ self.opening


def point_space(rig: FaceRig, curves: tuple[str, ...], motion: np.ndarray, *, upper: bool = False) -> PointSpace:
    """The space of curves.

    Args:
        rig: of the face.
        curves: names of the K columns.
        motion: (N, K), gives the unit of distance.
        upper: whether lids and brows count like lips.
    """
    basis = rig.basis[[rig.names.index(name) for name in curves]].reshape(len(curves), -1)
    metric = (basis * _point_weights(upper).ravel()) @ basis.T
    metric = metric + SPARE * np.trace(metric) * np.eye(len(curves))
    spread = motion - motion.mean(0)
    metric = metric / np.einsum("nk,kj,nj->n", spread, metric, spread).mean()
    opening = opening_of(rig, curves)
    return PointSpace(torch.from_numpy(metric.astype(np.float32)), torch.from_numpy(opening.astype(np.float32)))


def _point_weights(upper: bool) -> np.ndarray:
    """How much each coordinate counts: (P, 3)."""
    weights = np.full(478, OTHER)
    weights[list(mesh.FACE_OVAL)] = OVAL
    weights[[*mesh.OUTER_LIPS_UPPER, *mesh.OUTER_LIPS_LOWER]] = OUTER
    weights[[*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER]] = INNER
    if upper:
        weights[[*mesh.RIGHT_LID_UPPER, *mesh.RIGHT_LID_LOWER, *mesh.LEFT_LID_UPPER, *mesh.LEFT_LID_LOWER]] = LIDS
        weights[[*mesh.RIGHT_BROW, *mesh.LEFT_BROW]] = BROWS
    return weights[:, None] * np.array([1, 1, DEPTH])
