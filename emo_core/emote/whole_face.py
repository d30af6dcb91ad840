"""Put a face together: mouth, brows, lids, an emotion and gaze, on a head that moves.

Shape legend: F frames, U curves of `bank.CURVES`, K curves of `action_units.CURVES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..face.coefficients import BLINK, NAMES
from ..face.motion import FaceMotion
from .action_units import CURVES as MOVED
from .bank import CURVES
from .config import FPS

EYE_CONTACT = 0.75
"""Share of the head's turn that the eyes take back to look into the camera."""
BROW_LIMIT = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceParts:
    """What moves in F frames."""

    mouth: Mapping[str, np.ndarray]
    """(F,) each, by name."""
    brows: np.ndarray
    """(F, U) of the upper face, not limited; curves of the mouth come first."""
    lids: np.ndarray
    """(F, 2) of blinks."""
    felt: np.ndarray | None
    """(F, K) that an emotion adds; None for a neutral face."""
    rotation: np.ndarray
    """(F, 3) degrees."""
    translation: np.ndarray
    """(F, 3)"""
    gaze: np.ndarray
    """(F, 2) degrees by which the eyes leave the camera."""


def whole_face(parts: FaceParts, *, gaze: float = 1.0) -> FaceMotion:
    """One motion of all parts; `gaze` is the amount of the eyes' movements, eye contact included."""
    curves = dict(parts.mouth)
    brows = np.clip(parts.brows, 0, BROW_LIMIT)
    curves |= {name: values for name, values in zip(CURVES, brows.T, strict=True) if name not in curves}
    curves |= dict(zip(BLINK, parts.lids.T, strict=True))
    if parts.felt is not None:
        curves |= _with_emotion(curves, dict(zip(MOVED, parts.felt.T, strict=True)))
    none = np.zeros(len(parts.rotation))
    motion = FaceMotion(
        coefficients=np.stack([curves.get(name, none) for name in NAMES], axis=1).astype(np.float32),
        rotation=parts.rotation.astype(np.float32),
        translation=parts.translation.astype(np.float32),
        fps=FPS,
    )
    contact = np.stack([-parts.rotation[:, 1], parts.rotation[:, 0]], axis=1) * EYE_CONTACT
    return motion.with_gaze((contact + parts.gaze) * gaze)


def _with_emotion(curves: Mapping[str, np.ndarray], added: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The curves that an emotion moves, (F,) each in 0 .. 1. A lid that blinks gets neither wide nor squinting."""
    added = dict(added)
    for blink in BLINK:
        for name in ("eyeWide", "eyeSquint"):
            added[blink.replace("eyeBlink", name)] = added[blink.replace("eyeBlink", name)] * (1 - curves[blink])
    return {name: np.clip(curves.get(name, 0.0) + values, 0, 1) for name, values in added.items()}
