"""Head speeds in words and numbers."""

import pytest

from emo_core.curve import Curve
from emo_core.emo.conditions.speed_curve import SpeedCurve
from emo_core.errors import InputError
from emo_core.head_speed import WORDS, parse_speed


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("calm", {0.0: 0.1}),
        ("0.3", {0.0: 0.3}),
        (" Normal ", {0.0: 0.25}),
        ("0:calm, 1.5:0.4, 3:active", {0.0: 0.1, 1.5: 0.4, 3.0: 0.5}),
        ("0:1e-1\n2:active", {0.0: 0.1, 2.0: 0.5}),
    ],
)
def test_words_are_numbers(text, points):
    expected = Curve(tuple(points), tuple(points.values()))
    assert parse_speed(text) == expected
    assert SpeedCurve.parse(text).speeds == expected.values


def test_words_rise():
    assert list(WORDS.values()) == sorted(WORDS.values())


@pytest.mark.parametrize("text", ["fast", "0:calm, 1:wild", "calm active", "nan", "0:inf", "", "0.3calm"])
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match="speed: got"):
        parse_speed(text)
