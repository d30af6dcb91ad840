"""Real motion of heads, brows and lids, cut from films: the material of `motion_units` and `blinks`.

Shape legend: N frames of all films, one after another, at 25 fps; U curves of the upper face; Q blinks of T frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError
from ..face.coefficients import BLINK, LOOK, UPPER, mirrored

CURVES = tuple(name for name in UPPER if name not in (*BLINK, *LOOK))
"""U curves that units carry. Blinks and gaze are made apart."""
MIRROR = tuple(CURVES.index(mirrored(name)) for name in CURVES)
SIDES = np.array([1.0, -1.0, -1.0], np.float32)
"""Signs of a rotation vector in the mirror; a shift's are the negative."""
PARTS = ("rotation", "translation", "curves", "gaze", "features", "room", "blinks")


@dataclass(frozen=True, slots=True)
class MotionBank:
    """Material for motion."""

    rotation: np.ndarray
    """(N, 3) degrees from the film's rest pose."""
    translation: np.ndarray
    """(N, 3) in distances of the outer eye corners."""
    curves: np.ndarray
    """(N, U)"""
    gaze: np.ndarray
    """(N, 2) degrees by which the eyes leave the camera: right, up."""
    features: np.ndarray
    """(N, 3) prosody of the sound to which the film moves."""
    room: np.ndarray
    """(N,) frames from each frame to the end of its film."""
    blinks: np.ndarray
    """(Q, T, 2) left and right lid of real blinks, 0 open, 1 shut."""

    def mirrored(self) -> "MotionBank":
        """The bank as seen in a mirror."""
        return MotionBank(
            self.rotation * SIDES,
            self.translation * -SIDES,
            self.curves[:, MIRROR],
            self.gaze * np.array([-1.0, 1.0], np.float32),
            self.features,
            self.room,
            self.blinks[:, :, ::-1],
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "MotionBank":
        """Check what a file holds.

        Raises:
            CheckpointError: if it is no bank.
        """
        try:
            parts = {name: np.asarray(arrays[name], np.float32) for name in PARTS}
        except KeyError as error:
            raise CheckpointError(f"emote: the motion bank has no {error}; download or copy the file again") from error
        count = len(parts["rotation"])
        shapes = {"rotation": (count, 3), "translation": (count, 3), "curves": (count, len(CURVES)), "gaze": (count, 2),
                  "features": (count, 3), "room": (count,)}  # fmt: skip
        wrong = [f"{name} {parts[name].shape}" for name, shape in shapes.items() if parts[name].shape != shape]
        blinks = parts["blinks"]
        if wrong or not count or blinks.ndim != 3 or blinks.shape[2] != 2 or not all(map(_finite, parts.values())):
            raise CheckpointError(
                f"emote: the motion bank is broken ({', '.join(wrong) or 'values'}); download or copy the file again"
            )
        return cls(**(parts | {"room": parts["room"].astype(np.int64)}))


def _finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())
