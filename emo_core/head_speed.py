"""Head speeds in words or numbers: one of them, or a curve over time."""

import re

from .curve import Curve
from .errors import InputError

WORDS = {"calm": 0.1, "normal": 0.25, "active": 0.5}
"""Degrees per frame of 1/25 s."""


def parse_speed(text: str) -> Curve:
    """Read a word or a number, or `seconds:speed` pairs of either, such as `0:calm, 1.5:0.4, 3:active`.

    Raises:
        InputError: for anything else.
    """

    def number(match: re.Match[str]) -> str:
        word = match[0].lower()
        if word not in WORDS:
            raise InputError(
                f"speed: got {match[0]!r}; expected {', '.join(WORDS)}, a number, or seconds:speed pairs such as 0:calm, 1.5:0.4"
            )
        return str(WORDS[word])

    # A number may have an exponent; nan and inf are for the curve to refuse.
    return Curve.parse(re.sub(r"\b(?!nan\b|inf\b|infinity\b)[A-Za-z]+\b", number, text), "speed")
