"""What an emotion adds to a speaking face, for a whole sound; lips that speech closes stay closed.

Shape legend: F frames, M curves of the mouth, E emotions, K coefficients of `action_units.CURVES`.
"""

from typing import Protocol

import numpy as np
import torch

from ..emotion import EmotionCurve
from ..errors import InputError
from ..face.rig import FaceRig
from .action_units import CURVES, style_vector
from .closure import open_share, opening_of, with_gap
from .config import FPS
from .emotion_model import EmotionModel
from .listening import Listening
from .prosody import Prosody
from .weights import EmoteModel
from .windows import OverlappedWindows

BLOCK = 128
"""Frames of a window."""
FREE = 0.25
"""Share of openness (see `closure.open_share`) from which the model alone decides how far the lips open."""


class Mouth(Protocol):
    """A mouth that speaks a sound."""

    frames: int
    """Of the sound."""

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, M) of frames [first, last)."""
        ...


class EmotionTrack:
    """Differences of coefficients, computed window by window."""

    def __init__(
        self,
        model: EmotionModel,
        listening: Listening,
        mouth: Mouth,
        prosody: Prosody,
        rig: FaceRig,
        *,
        curves: tuple[str, ...],
        emotion: EmotionCurve,
        style: int,
    ) -> None:
        """Nothing is computed yet. `curves` are the mouth's."""
        self._model, self._listening, self._mouth, self._emotion = model, listening, mouth, emotion
        self._rest, self._opening = prosody.rest, opening_of(rig, CURVES)
        self._columns = [CURVES.index(name) for name in curves]
        self._style = torch.from_numpy(style_vector(style).astype(np.float32))[None]
        self._windows = OverlappedWindows(self._window, BLOCK)

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, K) of frames [first, last); with the mouth's curves they lie in 0 .. 1."""
        return self._windows.take(first, last)

    @torch.no_grad()
    def _window(self, first: int, last: int) -> np.ndarray:
        low, high = max(first, 0), min(last, self._mouth.frames)
        index = np.clip(np.arange(first, last), low, high - 1) - low
        mouth, rest = self._mouth.take(low, high)[index], self._rest[low:high][index]
        emotion = self._emotion.at_frames(high - low, FPS, first=low)[index]
        if not emotion.any():
            return np.zeros((last - first, len(CURVES)))
        parts = (torch.from_numpy(np.asarray(part, np.float32))[None] for part in (mouth, rest, emotion))
        inputs = self._listening.inputs(low, high)[index][None]
        added = self._model(inputs, *parts, self._style)[0].double().numpy()
        own = np.zeros_like(added)
        own[:, self._columns] = mouth
        return self._kept(own, added, rest) - own

    def _kept(self, own: np.ndarray, added: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """(F, K) of speech and emotion together, closed where speech is."""
        made = np.clip(own + added, 0, 1)
        gap = own @ self._opening
        share = np.clip(np.maximum(open_share(gap) / FREE, rest), 0, 1)
        wanted = gap + (made @ self._opening - gap) * share
        return with_gap(made, wanted, self._opening, CURVES)


def emotion_track(
    model: EmoteModel, listening: Listening, mouth: Mouth, prosody: Prosody, *, emotion: EmotionCurve, style: int
) -> EmotionTrack | None:
    """What an emotion adds to a mouth that speaks; None for a face that stays neutral.

    Raises:
        InputError: if the model was trained without emotions.
    """
    if emotion.neutral:
        return None
    if model.emotion is None:
        raise InputError(
            f"emotion: got {emotion}; this emote model was trained without emotions; use models/emote-mini.safetensors, "
            "or train its stage `emotion`"
        )
    return EmotionTrack(
        model.emotion,
        listening,
        mouth,
        prosody,
        model.rig,
        curves=model.config.curves,
        emotion=emotion,
        style=style,
    )
