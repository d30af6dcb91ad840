"""Emotions and their strength over time: the eight of EMOTE (arXiv 2306.08990) and AffectNet.

Shape legend: F frames, E = 7 emotions besides neutral.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .curve import Curve
from .errors import InputError

EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
EXPRESSIVE = EMOTIONS[1:]
"""E names: the columns of a curve. Neutral is zero in all of them."""
ALIASES = {
    "neutral": ("neu", "calm"),
    "happy": ("hap", "happiness", "joy", "joyful"),
    "sad": ("sadness",),
    "surprise": ("sur", "surprised"),
    "fear": ("fea", "fearful", "afraid", "scared"),
    "disgust": ("dis", "disgusted"),
    "anger": ("ang", "angry"),
    "contempt": ("con", "contemptuous"),
}
"""Other names in use, among them the codes of CREMA-D and the folders of MEAD."""
STRONGEST = 1.5
"""Largest strength; 1 is the full emotion."""
BLEND = 2
"""Emotions at one time."""


def emotion_named(name: str) -> str:
    """One of EMOTIONS.

    Raises:
        InputError: for any other word; the message names the nearest emotion.
    """
    word = name.strip().lower()
    known = {alias: emotion for emotion, others in ALIASES.items() for alias in (emotion, *others)}
    if word in known:
        return known[word]
    near = difflib.get_close_matches(word, known, 1, 0.6)
    hint = f"; did you mean {known[near[0]]}?" if near else ""
    raise InputError(f"emotion: got {name.strip()!r}; expected one of {', '.join(EMOTIONS)}{hint}")


@dataclass(frozen=True, slots=True)
class EmotionCurve:
    """Strength of each emotion over time: linear between points, constant before the first and after the last."""

    seconds: tuple[float, ...]
    """Times of the points, rising."""
    strengths: tuple[tuple[float, ...], ...]
    """E strengths of each point, 0 .. STRONGEST in sum."""

    @classmethod
    def constant(cls, emotion: str, strength: float = 1.0) -> EmotionCurve:
        """The same emotion all the time.

        Raises:
            InputError: for an unknown emotion, or a strength out of range.
        """
        return cls((0.0,), (_strengths({emotion_named(emotion): strength}),))

    @classmethod
    def parse(cls, text: str, strength: float = 1.0) -> EmotionCurve:
        """Read `0:neutral, 1.5:happy@0.8, 3:happy@0.5+surprise@0.5`, or one emotion such as `happy` or `sad@0.7`.

        Args:
            text: of the user: `seconds:emotion@strength` points; `+` blends two emotions.
            strength: multiplies all strengths. One that is not given is 1, or one half in a blend.

        Raises:
            InputError: for anything else.
        """
        if not 0 <= strength <= STRONGEST:
            raise InputError(f"strength: got {strength:g}; expected 0 .. {STRONGEST:g} (1 is the full emotion)")
        parts = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
        if not parts:
            raise InputError(f"emotion: got {text!r}; expected an emotion, or points such as 0:neutral, 1.5:happy@0.8")
        if len(parts) == 1 and ":" not in parts[0]:
            parts = [f"0:{parts[0]}"]
        seconds, strengths = zip(*(_point(part, strength) for part in parts), strict=True)
        if list(seconds) != sorted(set(seconds)):
            raise InputError(f"emotion: the times in {text!r} must rise; sort them, and give each once")
        return cls(seconds, strengths)

    @property
    def neutral(self) -> bool:
        """Whether no emotion ever shows."""
        return not any(any(point) for point in self.strengths)

    def at_frames(self, frames: int, fps: float, *, first: int = 0) -> np.ndarray:
        """The strengths at the middle of so many frames, from `first` on: (F, E) float32."""
        columns = (
            Curve(self.seconds, column).at_frames(frames, fps, first=first)
            for column in zip(*self.strengths, strict=True)
        )
        return np.stack(list(columns), axis=1)

    def __str__(self) -> str:
        """Text that `parse` reads."""
        return ", ".join(f"{time:g}:{_spoken(point)}" for time, point in zip(self.seconds, self.strengths, strict=True))


NEUTRAL = EmotionCurve((0.0,), ((0.0,) * len(EXPRESSIVE),))


def _point(part: str, strength: float) -> tuple[float, tuple[float, ...]]:
    time, colon, blend = part.partition(":")
    try:
        seconds = float(time)
        if not colon or not math.isfinite(seconds):
            raise ValueError
    except ValueError:
        raise InputError(
            f"emotion: got the point {part!r}; expected seconds:emotion@strength such as 1.5:happy@0.8"
        ) from None
    amounts: dict[str, float] = {}
    pieces = blend.split("+")
    for piece in pieces:
        name, _, number = piece.partition("@")
        emotion = emotion_named(name)
        try:
            amounts[emotion] = strength * float(number.strip() or 1 / len(pieces))
        except ValueError:
            raise InputError(f"emotion: got the strength {number!r} in {part!r}; expected a number") from None
    return seconds, _strengths(amounts)


def _strengths(amounts: Mapping[str, float]) -> tuple[float, ...]:
    """The E strengths of a point, checked."""
    if len(amounts) > BLEND:
        raise InputError(f"emotion: got {' + '.join(amounts)}; expected at most {BLEND} emotions at a time")
    for name, amount in amounts.items():
        if not 0 <= amount <= STRONGEST:
            raise InputError(
                f"emotion: got {name} at strength {amount:g}; expected 0 .. {STRONGEST:g} (1 is the full emotion)"
            )
    if sum(amounts.values()) > STRONGEST + 1e-9:
        raise InputError(
            f"emotion: the strengths of {' + '.join(amounts)} add up to {sum(amounts.values()):g}; "
            f"expected at most {STRONGEST:g} at a time"
        )
    return tuple(float(amounts.get(name, 0.0)) for name in EXPRESSIVE)


def _spoken(point: tuple[float, ...]) -> str:
    named = [f"{name}@{amount:g}" for name, amount in zip(EXPRESSIVE, point, strict=True) if amount]
    return "+".join(named) or "neutral"
