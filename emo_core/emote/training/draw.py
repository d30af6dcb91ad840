"""Windows of emotional speech for training: constructed ones, and films of actors.

Shape legend: B windows, F frames, I inputs, M curves of the mouth, E emotions, S numbers of a style, K coefficients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...emotion import EXPRESSIVE, STRONGEST
from ...face.rig import FaceRig
from ..action_units import CURVES, MOUTH_COLUMNS, STYLE, prototypes
from ..config import EmoteConfig
from .construct import Speech, emotional
from .heard import HeardFilm

FRAMES = 64
MARGIN = 30
"""Frames around a window that its construction sees."""
ONSET = (1.0, 6.0)
"""Frames in which expressions follow: least and most."""
AVERAGE = 0.3
"""Share of windows in the average style."""
CHANGING, BLENDED = 0.3, 0.2
"""Shares of windows whose emotion changes, and that blend two."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window of F frames."""

    inputs: Tensor
    """(F, I)"""
    mouth: Tensor
    """(F, M) of the content model."""
    rest: Tensor
    """(F,)"""
    emotion: Tensor
    """(F, E)"""
    style: Tensor
    """(S,)"""
    target: Tensor
    """(F, K) what the emotion adds; zeros where it is not known."""
    known: bool
    """Whether `target` is true."""


class Drawing:
    """Draws windows from films."""

    def __init__(self, films: Sequence[HeardFilm], config: EmoteConfig, rig: FaceRig) -> None:
        """Films of fewer than FRAMES frames are left out; the caller reports it."""
        self.films = [film for film in films if len(film) >= FRAMES]
        self._config, self._rig = config, rig

    def constructed(self, generator: torch.Generator) -> tuple[Window, Window]:
        """The same speech and style with two different emotions (EMOTE's swap), both with true targets."""
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        film = self.films[rng.integers(len(self.films))]
        start = int(rng.integers(len(film) - FRAMES + 1))
        style = np.zeros(STYLE) if rng.random() < AVERAGE else rng.normal(size=STYLE)
        shown, onset = prototypes(style), rng.uniform(*ONSET)
        first, second = rng.permutation(len(EXPRESSIVE))[:2]
        return tuple(
            self._window(film, start, _strengths(int(main), rng), style, shown, onset) for main in (first, second)
        )

    def filmed(self, film: HeardFilm, generator: torch.Generator) -> Window:
        """A window of an actor's film."""
        start = int(torch.randint(len(film) - FRAMES + 1, (), generator=generator))
        stop = start + FRAMES
        target = film.motion[start:stop].copy()
        target[:, MOUTH_COLUMNS] -= film.speech.mouth[start:stop]
        strengths = np.tile(film.emotion, (FRAMES, 1))
        return self._made(film, start, strengths, np.zeros(STYLE), target, known=True)

    def lent(self, film: HeardFilm, emotion: Tensor, generator: torch.Generator) -> Window:
        """A film's speech with the emotion (F, E) of another window: nobody knows its target."""
        start = int(torch.randint(len(film) - FRAMES + 1, (), generator=generator))
        nothing = np.zeros((FRAMES, len(CURVES)))
        return self._made(film, start, emotion.numpy(), np.zeros(STYLE), nothing, known=False)

    def _window(
        self, film: HeardFilm, start: int, strengths: np.ndarray, style: np.ndarray, shown: np.ndarray, onset: float
    ) -> Window:
        low, high = max(0, start - MARGIN), min(len(film), start + FRAMES + MARGIN)
        before, after = start - low, high - start - FRAMES
        speech = Speech(film.speech.mouth[low:high], film.speech.rest[low:high], film.speech.loudness[low:high])
        around = np.pad(strengths, ((before, after), (0, 0)), mode="edge")
        target = emotional(speech, around, shown, onset, self._rig)[before : before + FRAMES]
        return self._made(film, start, strengths, style, target, known=True)

    def _made(
        self, film: HeardFilm, start: int, strengths: np.ndarray, style: np.ndarray, target: np.ndarray, *, known: bool
    ) -> Window:
        stop = start + FRAMES
        parts = (film.speech.mouth[start:stop], film.speech.rest[start:stop], strengths, style, target)
        mouth, rest, emotion, style, target = (torch.from_numpy(np.asarray(part, np.float32)) for part in parts)
        return Window(film.inputs(start, stop, self._config), mouth, rest, emotion, style, target, known)


def _strengths(main: int, rng: np.random.Generator) -> np.ndarray:
    """(F, E) an emotion that stays, grows, goes over into another one, or is blended with one."""
    amount = rng.uniform(0.2, STRONGEST)
    end = np.zeros(len(EXPRESSIVE))
    end[main] = amount
    other = int(rng.integers(len(EXPRESSIVE)))
    if rng.random() < BLENDED:
        share = rng.uniform(0.2, 0.8)
        end[main], end[other] = amount * share, end[other] + amount * (1 - share)
    if rng.random() >= CHANGING:
        return np.tile(end, (FRAMES, 1))
    begin = np.zeros(len(EXPRESSIVE))
    if rng.random() < 0.5:
        begin[int(rng.integers(len(EXPRESSIVE)))] = rng.uniform(0, STRONGEST)
    middle, length = rng.uniform(0, FRAMES), rng.uniform(2, 40)
    way = np.clip((np.arange(FRAMES) - middle) / length + 0.5, 0, 1)[:, None]
    return begin * (1 - way) + end * way
