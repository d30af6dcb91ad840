"""Backgrounds of avatars."""

import numpy as np
import pytest

from emo_core.avatar.background import Background, behind
from emo_core.errors import InputError


def test_backgrounds_are_read():
    assert Background.parse("own") == Background()
    assert Background.parse(" Transparent ").replaced
    assert Background.parse("#00b140").colour == (0, 0xB1, 0x40)
    assert Background.parse("green").colour == (0, 128, 0)


@pytest.mark.parametrize("text", ["", "sky.jpg", "#12"])
def test_others_are_refused(text):
    with pytest.raises(InputError, match=r"background: got .*; expected own, transparent, or a colour"):
        Background.parse(text)


def test_a_colour_stands_where_the_person_is_not():
    frames = np.full((2, 8, 8, 3), 200, np.uint8)
    masks = np.zeros((2, 8, 8), np.float32)
    masks[:, 4:] = 1
    masks[:, 3] = 0.5
    drawn = behind(frames, masks, Background.parse("#00b140"))
    assert (drawn[:, :3] == (0, 0xB1, 0x40)).all() and (drawn[:, 4:] == 200).all()
    assert drawn[0, 3, 0].tolist() == [100, 188, 132]


def test_a_transparent_one_is_the_alpha_channel():
    masks = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    drawn = behind(np.zeros((1, 8, 8, 3), np.uint8), masks, Background.parse("transparent"))
    assert drawn.shape == (1, 8, 8, 4) and drawn[0, ..., 3].tolist() == np.round(masks[0] * 255).tolist()
