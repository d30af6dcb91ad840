"""Change a face motion: amounts of mouth, head, brows, blinks and gaze over time, and smoothing."""

from dataclasses import dataclass, fields, replace

import numpy as np

from ..curve import Curve
from ..errors import InputError
from ..smoothing import gaussian
from .coefficients import BLINK, BROW, LOOK, MOUTH
from .motion import FaceMotion

MOST = 3.0
"""Largest amount."""
MAX_SMOOTHING = 1.0
ONE = Curve.constant(1)
GROUPS = {"mouth": MOUTH, "brows": BROW, "blinks": BLINK, "gaze": LOOK}
"""The coefficients that each amount scales; `head` scales rotation and translation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Amounts over time: 1 leaves the motion as it is, 0 takes it away."""

    mouth: Curve = ONE
    head: Curve = ONE
    brows: Curve = ONE
    blinks: Curve = ONE
    gaze: Curve = ONE
    smoothing: float = 0.0
    """Standard deviation of a Gaussian over time, in seconds."""

    def __post_init__(self) -> None:
        """Raise InputError for amounts out of range."""
        for item in fields(self):
            if item.name != "smoothing":
                getattr(self, item.name).check(item.name, 0, MOST, "1 leaves the motion as it is, 0 takes it away")
        if not 0 <= self.smoothing <= MAX_SMOOTHING:
            raise InputError(
                f"smoothing: got {self.smoothing:g}; expected 0 .. {MAX_SMOOTHING:g} seconds (.04 is one frame)"
            )


def adjusted(motion: FaceMotion, adjustment: Adjustment, *, first: int = 0) -> FaceMotion:
    """Apply an adjustment. Coefficients stay in 0 .. 1.

    Args:
        motion: a motion, or a part of one.
        adjustment: amounts over the time of the whole motion.
        first: number of the part's first frame.
    """
    frames, fps = len(motion), motion.fps
    amounts = {name: getattr(adjustment, name).at_frames(frames, fps, first=first) for name in GROUPS}
    curves = {
        name: motion.curve(name) * amounts[group]
        for group, names in GROUPS.items()
        for name in names
        if name in motion.names
    }
    head = adjustment.head.at_frames(frames, fps, first=first)[:, None]
    motion = replace(motion.with_curves(curves), rotation=motion.rotation * head, translation=motion.translation * head)
    return smoothed(motion, adjustment.smoothing) if adjustment.smoothing else motion


def smoothed(motion: FaceMotion, seconds: float) -> FaceMotion:
    """A Gaussian over time on everything but the blinks, which would no longer close."""
    sigma = seconds * motion.fps
    parts = (motion.coefficients, motion.rotation, motion.translation)
    coefficients, rotation, translation = (gaussian(part, sigma).astype(np.float32) for part in parts)
    blinks = {name: motion.curve(name) for name in BLINK if name in motion.names}
    return replace(motion, coefficients=coefficients, rotation=rotation, translation=translation).with_curves(blinks)
