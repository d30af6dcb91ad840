"""Emotions over time, as users write them."""

import numpy as np
import pytest

from emo_core.emotion import EXPRESSIVE, NEUTRAL, EmotionCurve
from emo_core.errors import InputError


def at(text, *seconds, **options):
    """Strengths by name at some times."""
    curve = EmotionCurve.parse(text, **options)
    rows = [curve.at_frames(1, 1e6, first=round(time * 1e6))[0] for time in seconds]
    return [{n: round(float(v), 3) for n, v in zip(EXPRESSIVE, row, strict=True) if v > 1e-3} for row in rows]


def test_an_emotion_grows_between_two_points():
    assert at("0:neutral, 1.5:happy@0.8", 0, 0.75, 1.5, 9) == [{}, {"happy": 0.4}, {"happy": 0.8}, {"happy": 0.8}]


def test_one_emotion_turns_into_another():
    assert at("0:sad,2:anger", 1) == [{"sad": 0.5, "anger": 0.5}]


def test_blends_hold_two_emotions():
    assert at("happy@0.5+surprise@0.7", 0) == [{"happy": 0.5, "surprise": 0.7}]


def test_a_blend_without_strengths_is_half_and_half():
    assert at("happy+fear", 0) == [{"happy": 0.5, "fear": 0.5}]


def test_a_single_word_lasts():
    assert at("Angry", 0, 60) == [{"anger": 1}] * 2


def test_strength_multiplies():
    assert at("0:happy, 1:sad@0.5", 0, 1, strength=0.5) == [{"happy": 0.5}, {"sad": 0.25}]


def test_neutral_is_zero():
    assert not EmotionCurve.parse("neutral").at_frames(5, 25).any()
    assert EmotionCurve.parse("0:neutral, 2:neutral@0.3").neutral and NEUTRAL.neutral
    assert not EmotionCurve.parse("0:neutral, 2:sad@0.1").neutral


def test_text_round_trips():
    curve = EmotionCurve.parse("0:neutral, 1.5:happy@0.8, 3:sad@0.25+fear@1")
    assert EmotionCurve.parse(str(curve)) == curve


def test_parts_of_a_curve_are_the_curve():
    curve = EmotionCurve.parse("0:neutral, 2:happy")
    np.testing.assert_array_equal(curve.at_frames(100, 25)[40:], curve.at_frames(60, 25, first=40))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("happpy", "did you mean happy"),
        ("furious", "expected one of neutral, happy"),
        ("1:happy, 0:sad", "must rise"),
        ("1:happy, 1:sad", "must rise"),
        ("happy@-1", "happy at strength -1"),
        ("happy@nan", "happy at strength nan"),
        ("happy@1.6", "expected 0 .. 1.5"),
        ("happy@much", "expected a number"),
        ("happy@1+sad@1", "add up to 2"),
        ("happy@.2+sad@.2+fear@.2", "at most 2"),
        ("soon:happy", "seconds:emotion@strength"),
        ("0:happy, sad", "seconds:emotion@strength"),
        ("nan:happy", "seconds:emotion@strength"),
        (" ", "expected an emotion"),
    ],
)
def test_wrong_text_is_told(text, said):
    with pytest.raises(InputError, match=said):
        EmotionCurve.parse(text)


@pytest.mark.parametrize("strength", [-0.1, float("nan"), 2])
def test_wrong_strength_is_told(strength):
    with pytest.raises(InputError, match="strength: got"):
        EmotionCurve.parse("happy", strength)
