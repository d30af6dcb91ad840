"""How far two motions of the mouth are apart on the rig's points.

Shape legend: K curves, P points.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emo_core.face import mesh_points as mesh
from emo_core.face.rig import FaceRig

LIPS, JAW, OTHER = 6.0, 1.5, 0.3
"""Weights of points."""
DEPTH = 0.25
SPARE = 2e-4
"""Weight of the squared coefficients themselves, so that none is free."""


@dataclass(frozen=True, slots=True)
class LipSpace:
    """Distances of coefficients as distances of points."""

    metric: Tensor
    """(K, K): difference · metric · difference is the weighted squared distance of the points, over their deviation in speech."""
    opening: Tensor
    """(K,) how each curve opens the inner lips, in heights of the face."""
    closed: float
    """Gap of the neutral face in heights of the face."""

    def distance(self, difference: Tensor) -> Tensor:
        """(..., K) to (...)."""
        return ((difference @ self.metric) * difference).sum(-1)

    def gap(self, coefficients: Tensor) -> Tensor:
        """(..., K) to (...): opening of the inner lips over that of the neutral face, in heights of the face."""
        return coefficients @ self.opening


def point_weights() -> np.ndarray:
    """How much each coordinate counts: (P, 3)."""
    weights = np.full(478, OTHER)
    weights[list(mesh.FACE_OVAL)] = JAW
    weights[[*mesh.OUTER_LIPS_UPPER, *mesh.OUTER_LIPS_LOWER]] = LIPS / 2
    weights[[*mesh.INNER_LIPS_UPPER, *mesh.INNER_LIPS_LOWER]] = LIPS
    return weights[:, None] * np.array([1, 1, DEPTH])


def opening_of(rig: FaceRig, curves: tuple[str, ...]) -> tuple[np.ndarray, float]:
    """How each curve opens the inner lips (K,), and the gap of the neutral face, in heights of the face."""
    height = rig.mean[10, 1] - rig.mean[152, 1]
    basis = rig.basis[[rig.names.index(name) for name in curves]]
    return (basis[:, 13, 1] - basis[:, 14, 1]) / height, float(rig.mean[13, 1] - rig.mean[14, 1]) / height


def lip_space(rig: FaceRig, curves: tuple[str, ...], motion: np.ndarray) -> LipSpace:
    """The space of curves; `motion` (N, K) gives the unit of distance."""
    basis = rig.basis[[rig.names.index(name) for name in curves]].reshape(len(curves), -1)
    metric = (basis * point_weights().ravel()) @ basis.T
    metric = metric + SPARE * np.trace(metric) * np.eye(len(curves))
    spread = motion - motion.mean(0)
    metric = metric / np.einsum("nk,kj,nj->n", spread, metric, spread).mean()
    opening, closed = opening_of(rig, curves)
    return LipSpace(torch.from_numpy(metric.astype(np.float32)), torch.from_numpy(opening.astype(np.float32)), closed)
