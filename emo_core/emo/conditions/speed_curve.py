"""Head speed over time: one value, or a curve through points."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...curve import Curve
from ...errors import InputError
from ...head_speed import parse_speed
from ..config import SpeedConfig

BEYOND = 4
"""Times the fastest bucket: a faster request is an error."""


@dataclass(frozen=True, slots=True)
class SpeedCurve:
    """Piecewise linear, constant before the first and after the last point."""

    seconds: tuple[float, ...]
    """Times of the points, rising."""
    speeds: tuple[float, ...]
    """In the checkpoint's unit."""

    @classmethod
    def constant(cls, speed: float) -> "SpeedCurve":
        """The same speed all the time."""
        return cls((0.0,), (speed,))

    @classmethod
    def parse(cls, text: str) -> "SpeedCurve":
        """Read a speed or a curve; see `parse_speed`.

        Raises:
            InputError: for anything else.
        """
        curve = parse_speed(text)
        return cls(curve.seconds, curve.values)

    def check(self, config: SpeedConfig) -> "SpeedCurve":
        """Return itself if a model can follow it.

        Raises:
            InputError: otherwise.
        """
        if not config.layers:
            raise InputError("speed: this model has no speed layers; leave the speed out")
        low, high = config.range
        if wrong := [speed for speed in self.speeds if not 0 <= speed <= BEYOND * high]:
            raise InputError(
                f"speed: got {wrong[0]:g}; this model was trained for {low:g} .. {high:g} {config.unit} (0 is a still head)"
            )
        return self

    def at_frames(self, frames: int, fps: float) -> Tensor:
        """The speed at the middle of each frame: (frames,) float32."""
        return torch.from_numpy(Curve(self.seconds, self.speeds).at_frames(frames, fps))
