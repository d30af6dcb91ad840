"""Constructed emotional speech obeys the closure rule."""

import numpy as np
import pytest

from emo_core.emote.action_units import CURVES, prototypes, style_vector
from emo_core.emote.closure import opening_of
from emo_core.emote.training.construct import Speech, emotional
from emo_core.emotion import EXPRESSIVE
from emo_core.face.coefficients import MOUTH
from emo_core.face.rig import load_rig

RIG = load_rig()
OPENING = opening_of(RIG, CURVES)


def speech(frames: int = 100) -> Speech:
    """Syllables at 4 Hz whose lips close between them."""
    mouth = np.zeros((frames, len(MOUTH)))
    mouth[:, MOUTH.index("jawOpen")] = 0.3 * np.clip(np.sin(2 * np.pi * 4 * np.arange(frames) / 25), 0, None)
    return Speech(mouth, np.zeros(frames), np.zeros(frames))


def shown(part: Speech, emotion: str, strength: float = 1.0) -> np.ndarray:
    """(F, K) speech with an emotion."""
    strengths = np.zeros((len(part.rest), len(EXPRESSIVE)))
    strengths[:, EXPRESSIVE.index(emotion)] = strength
    own = np.zeros((len(part.rest), len(CURVES)))
    own[:, [CURVES.index(name) for name in MOUTH]] = part.mouth
    return own + emotional(part, strengths, prototypes(style_vector(0)), 3.0, RIG)


@pytest.mark.parametrize("emotion", EXPRESSIVE)
def test_closed_lips_stay_closed_and_open_ones_speak(emotion):
    part = speech()
    gap, plain = shown(part, emotion) @ OPENING, part.mouth @ opening_of(RIG, MOUTH)
    assert (gap[plain < 0.004] <= 0.012).all()
    assert np.corrcoef(gap, plain)[0, 1] > 0.97


@pytest.mark.parametrize("emotion", EXPRESSIVE)
def test_strength_moves_the_face_further(emotion):
    part = speech()
    sizes = [np.abs(shown(part, emotion, strength) - shown(part, emotion, 0)).mean() for strength in (0.5, 1, 1.5)]
    assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_a_plain_sum_would_open_the_lips():
    assert prototypes(style_vector(0))[EXPRESSIVE.index("surprise")] @ OPENING > 0.05


def test_who_is_silent_for_long_shows_the_whole_emotion():
    silent = Speech(np.zeros((50, len(MOUTH))), np.ones(50), np.full(50, -60.0))
    assert (shown(silent, "surprise") @ OPENING > 0.05).all()


def test_rounded_lips_spread_less():
    wide, rounded = speech(), speech()
    rounded.mouth[:, MOUTH.index("mouthPucker")] = 0.9
    smile = CURVES.index("mouthSmileLeft")
    assert shown(rounded, "happy")[:, smile].mean() < 0.6 * shown(wide, "happy")[:, smile].mean()
