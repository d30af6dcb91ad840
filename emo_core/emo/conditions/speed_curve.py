"""Head speed over time: one value, or a curve through points."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
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
        """Read `seconds:speed` pairs, such as `0:0, 1.5:0.4, 3:0.1`, or one number.

        Raises:
            InputError: for anything else.
        """
        try:
            timed = text if ":" in text else f"0:{text}"
            pairs = [tuple(map(float, part.split(":"))) for part in timed.replace("\n", ",").split(",") if part.strip()]
            seconds, speeds = zip(*pairs, strict=True)
        except ValueError:
            raise InputError(
                f"speed: got {text!r}; expected one number, or seconds:speed pairs such as 0:0, 1.5:0.4, 3:0.1"
            ) from None
        if not np.isfinite([*seconds, *speeds]).all():
            raise InputError(f"speed: got {text!r}; expected numbers, not nan or inf")
        if list(seconds) != sorted(set(seconds)):
            raise InputError(f"speed: the times in {text!r} must rise; sort them, and give each once")
        return cls(seconds, speeds)

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
        middle = (np.arange(frames) + 0.5) / fps
        return torch.tensor(np.interp(middle, self.seconds, self.speeds), dtype=torch.float32)
