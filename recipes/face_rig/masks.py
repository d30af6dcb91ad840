"""How far each movement may reach: mouths move no brows, and one side does not move the other."""

import numpy as np

from emo_core.face import mesh_points as mesh
from emo_core.face.coefficients import NAMES

WHOLE = ("mouthLeft", "mouthRight", "jawLeft", "jawRight")
"""Movements to a side, not of a side."""


def reach_of(mean: np.ndarray) -> np.ndarray:
    """(51, 478) weights 0 .. 1 over the mean face (478, 3)."""
    iris = [*mesh.RIGHT_IRIS, *mesh.LEFT_IRIS]
    reach = np.stack([_reach(name, mean) for name in NAMES])
    for name, weights in zip(NAMES, reach, strict=True):
        weights[iris] *= name.startswith("eyeLook")
    return reach


def _reach(name: str, mean: np.ndarray) -> np.ndarray:
    x, y = mean[:, 0], mean[:, 1]
    if name.startswith(("eye", "brow")):
        weights = _above(y, -0.12, 0.04) * (1 - _above(y, 0.50, 0.05))
    elif name.startswith("cheekSquint"):
        weights = _above(y, -0.45, 0.05)
    elif name.startswith("noseSneer"):
        weights = _above(y, -0.74, 0.02)
    else:
        weights = 1 - _above(y, 0.0 if name.startswith("mouthSmile") else -0.25, 0.05)
    if name.endswith(("Left", "Right")) and name not in WHOLE:
        outward = x if name.endswith("Left") else -x
        in_middle = name.startswith("mouth")
        weights = weights * _above(outward, -0.06 if in_middle else 0.0, 0.06 if in_middle else 0.04)
    return weights


def _above(values: np.ndarray, edge: float, softness: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(values - edge) / softness))
