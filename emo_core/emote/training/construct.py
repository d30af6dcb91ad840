"""Emotional motion constructed from neutral speech: true targets for every emotion of every sound.

A plain sum of speech and emotion opens every closed lip, so three rules hold (the closure rule): lips that speech closes stay closed; units
that open the mouth act in part while it speaks; units that press the lips act on closed lips only.

Shape legend: F frames, K coefficients of `action_units.CURVES`, E emotions.
"""

from dataclasses import dataclass

import numpy as np

from ...face.rig import FaceRig
from ...smoothing import gaussian
from ..action_units import CURVES, MOUTH_COLUMNS
from ..closure import open_share, opening_of, with_gap

SPEAKING = 0.45
"""Of the opening that an emotion has in silence, while the mouth speaks."""
PRESSED = 0.025
"""Gap at which units that press the lips have fallen to 37 %."""
PRESSING = ("mouthPressLeft", "mouthPressRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower")
ROUND = ("mouthPucker", "mouthFunnel")
SPREADING = (
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
)
ROUNDING = 0.6
"""Share of a unit that spreads the lips which fully rounded lips take away."""
LOUD = 0.15
"""How much stronger an emotion shows where the voice is loud, and weaker where it is soft."""
WITHIN = 25
"""Frames over which loudness counts."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What a voice does to the face before any emotion."""

    mouth: np.ndarray
    """(F, Km) curves of MOUTH."""
    rest: np.ndarray
    """(F,) 1 where nobody speaks for long, 0 in speech; see `Prosody.rest`."""
    loudness: np.ndarray
    """(F,) dB over normal speech."""


def emotional(speech: Speech, strengths: np.ndarray, prototypes: np.ndarray, onset: float, rig: FaceRig) -> np.ndarray:
    """What an emotion adds to speech.

    Args:
        speech: F frames.
        strengths: (F, E) of the emotions over time.
        prototypes: (E, K) one person's, see `action_units.prototypes`.
        onset: frames in which this person's expression follows, the standard deviation of a Gaussian.
        rig: of the face.

    Returns:
        (F, K) differences of coefficients; with the speech's own they lie in 0 .. 1.
    """
    own = np.zeros((len(strengths), len(CURVES)))
    own[:, MOUTH_COLUMNS] = speech.mouth
    opening = opening_of(rig, CURVES)
    gap = own @ opening
    added = gaussian(strengths, onset) @ prototypes
    added = added * _envelope(speech.loudness, speech.rest)[:, None]
    rounded = np.clip(sum(own[:, CURVES.index(name)] for name in ROUND), 0, 1)
    added[:, _columns(SPREADING)] *= (1 - ROUNDING * rounded)[:, None]
    added[:, _columns(PRESSING)] *= np.exp(-np.maximum(gap, 0) / PRESSED)[:, None]
    opens = np.maximum(added * opening, 0).sum(1)
    free = open_share(gap)
    wanted = gap + opens * np.maximum(speech.rest, SPEAKING * free)
    made = with_gap(own + added, wanted, opening, CURVES)
    return made - own


def _envelope(loudness: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """(F,) how strong an emotion shows at each frame, about 1."""
    slow = gaussian(np.clip(loudness, -20, 5)[:, None], WITHIN / 2)[:, 0]
    return 1 + LOUD * np.tanh((slow + 4) / 4) * (1 - rest)


def _columns(names: tuple[str, ...]) -> list[int]:
    return [CURVES.index(name) for name in names]
