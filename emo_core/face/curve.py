"""A value over time, through points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Curve:
    """Piecewise linear, constant before the first and after the last point."""

    seconds: tuple[float, ...]
    """Times of the points, rising."""
    values: tuple[float, ...]

    @classmethod
    def constant(cls, value: float) -> Curve:
        """The same value all the time."""
        return cls((0.0,), (value,))

    @classmethod
    def parse(cls, text: str, name: str) -> Curve:
        """Read `seconds:value` pairs, such as `0:0, 1.5:0.4, 3:0.1`, or one number.

        Raises:
            InputError: for anything else.
        """
        try:
            timed = text if ":" in text else f"0:{text}"
            pairs = [tuple(map(float, part.split(":"))) for part in timed.replace("\n", ",").split(",") if part.strip()]
            seconds, values = zip(*pairs, strict=True)
        except ValueError:
            raise InputError(
                f"{name}: got {text!r}; expected one number, or seconds:{name} pairs such as 0:0, 1.5:0.4, 3:0.1"
            ) from None
        if not np.isfinite([*seconds, *values]).all():
            raise InputError(f"{name}: got {text!r}; expected numbers, not nan or inf")
        if list(seconds) != sorted(set(seconds)):
            raise InputError(f"{name}: the times in {text!r} must rise; sort them, and give each once")
        return cls(seconds, values)

    def at_frames(self, first: int, last: int, fps: float) -> np.ndarray:
        """The value at the middle of frames [first, last)."""
        return np.interp((np.arange(first, last) + 0.5) / fps, self.seconds, self.values)
