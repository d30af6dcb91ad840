"""A value over time: one number, or a curve through points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import InputError


@dataclass(frozen=True, slots=True)
class Curve:
    """Piecewise linear, constant before the first and after the last point."""

    seconds: tuple[float, ...]
    """Times of the points, rising."""
    values: tuple[float, ...]

    @classmethod
    def constant(cls, value: float) -> Curve:
        """The same value all the time."""
        return cls((0.0,), (float(value),))

    @classmethod
    def parse(cls, text: str, role: str) -> Curve:
        """Read `seconds:value` pairs, such as `0:0, 1.5:0.4, 3:0.1`, or one number.

        Args:
            text: of the user.
            role: of the value, for messages.

        Raises:
            InputError: for anything else.
        """
        try:
            timed = text if ":" in text else f"0:{text}"
            pairs = [tuple(map(float, part.split(":"))) for part in timed.replace("\n", ",").split(",") if part.strip()]
            seconds, values = zip(*pairs, strict=True)
        except ValueError:
            raise InputError(
                f"{role}: got {text!r}; expected one number, or seconds:{role} pairs such as 0:0, 1.5:0.4, 3:0.1"
            ) from None
        if not np.isfinite([*seconds, *values]).all():
            raise InputError(f"{role}: got {text!r}; expected numbers, not nan or inf")
        if list(seconds) != sorted(set(seconds)):
            raise InputError(f"{role}: the times in {text!r} must rise; sort them, and give each once")
        return cls(seconds, values)

    def check(self, role: str, low: float, high: float, meaning: str) -> Curve:
        """Return itself if all values lie in low .. high.

        Raises:
            InputError: otherwise.
        """
        if wrong := [value for value in self.values if not low <= value <= high]:
            raise InputError(f"{role}: got {wrong[0]:g}; expected {low:g} .. {high:g} ({meaning})")
        return self

    def at_frames(self, frames: int, fps: float, *, first: int = 0) -> np.ndarray:
        """The value at the middle of so many frames, from `first` on: (frames,) float32."""
        middle = (np.arange(first, first + frames) + 0.5) / fps
        return np.interp(middle, self.seconds, self.values).astype(np.float32)
