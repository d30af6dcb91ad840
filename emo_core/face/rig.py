"""The face rig: 478 points = mean + basis · coefficients, turned and shifted with the head.

Shape legend: F frames, K coefficients. Unit of length: the distance of the outer eye corners; x right, y up, z to the camera.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError
from ..fields import Items, read_fields
from ..files import existing_file
from .motion import FaceMotion
from .rotation import rotation_matrices

FACE_RIG = Path(__file__).resolve().parents[2] / "models" / "face-rig.safetensors"
POINTS = 478


@dataclass(frozen=True, slots=True)
class FaceRig:
    """A mean face and how each coefficient moves it. Learned by `recipes/face_rig`."""

    names: tuple[str, ...]
    """K names of coefficients."""
    mean: np.ndarray
    """(478, 3) neutral face, left and right alike."""
    basis: np.ndarray
    """(K, 478, 3) offsets at coefficient 1."""
    people: np.ndarray
    """(P, 478, 3) main differences between neutral faces, each scaled to one standard deviation."""
    mirror: np.ndarray
    """(478,) the point on the other side of the face."""
    triangles: np.ndarray
    """(T, 3) of the face mesh, with eyes and mouth."""

    def offsets(self, motion: FaceMotion) -> np.ndarray:
        """(F, 478, 3) how the points move from a neutral face, before the head turns."""
        return np.einsum("fk,kpi->fpi", motion.curves(self.names), self.basis)

    def points(self, motion: FaceMotion) -> np.ndarray:
        """(F, 478, 3) the mean face in motion, turned and shifted with the head."""
        turned = (self.mean + self.offsets(motion)) @ rotation_matrices(motion.rotation).transpose(0, 2, 1)
        return turned + motion.translation[:, None]


@dataclass(frozen=True, slots=True)
class _About:
    names: Annotated[tuple[str, ...], Items(1, 512)]


def load_rig(path: Path = FACE_RIG) -> FaceRig:
    """Read a rig.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it is no whole rig.
    """
    path = existing_file(path, "face rig", "the pack's models/face-rig.safetensors")
    try:
        with safe_open(path, "numpy") as stored:
            names = read_fields(_About, {"names": json.loads((stored.metadata() or {})["names"])}).names
            arrays = {name: stored.get_tensor(name) for name in ("mean", "basis", "people", "mirror", "triangles")}
        count = len(names)
        shapes = [arrays[name].shape for name in ("mean", "basis", "mirror")]
        if shapes != [(POINTS, 3), (count, POINTS, 3), (POINTS,)] or arrays["people"].shape[1:] != (POINTS, 3):
            raise ValueError(f"got shapes {shapes} for {count} coefficients")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"face rig: {path} cannot be read ({error}); download or copy the file again") from error
    mean, basis, people = (arrays[name].astype(np.float64) for name in ("mean", "basis", "people"))
    mirror, triangles = (arrays[name].astype(np.int64) for name in ("mirror", "triangles"))
    if not all(((0 <= part) & (part < POINTS)).all() for part in (mirror, triangles)) or triangles.shape[1:] != (3,):
        raise CheckpointError(f"face rig: {path} names points that no face has; download or copy the file again")
    return FaceRig(names, mean, basis, people, mirror, triangles)
