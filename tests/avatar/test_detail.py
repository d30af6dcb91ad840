"""Fine structure from real mouths."""

import numpy as np
import pytest

from emo_core.avatar.detail import with_real_detail

SIDE = 64


@pytest.fixture
def pair():
    """A real picture with fine stripes, and the same without them."""
    smooth = np.broadcast_to(np.linspace(60, 180, SIDE)[None, :, None], (SIDE, SIDE, 3)).astype(np.float32)
    stripes = 12 * np.where(np.arange(SIDE) % 2, 1, -1)[:, None, None]
    return smooth[None], np.round(smooth + stripes).astype(np.uint8)[None]


def fine(picture):
    return np.abs(np.diff(picture[0, 8:-8], axis=0)).mean()


def test_details_of_an_alike_mouth_are_taken(pair):
    drawn, real = pair
    whole = with_real_detail(drawn, real, np.ones((1, SIDE, SIDE), np.float32), 1.0)
    half = with_real_detail(drawn, real, np.ones((1, SIDE, SIDE), np.float32), 0.5)
    assert fine(whole) > 0.8 * fine(real.astype(float)) and fine(half) == pytest.approx(fine(whole) / 2, rel=0.02)
    assert np.abs(whole.mean() - drawn.mean()) < 0.5


def test_nothing_outside_the_region_and_nothing_of_another_mouth(pair):
    drawn, real = pair
    assert np.array_equal(with_real_detail(drawn, real, np.zeros((1, SIDE, SIDE), np.float32), 1.0), drawn)
    other = with_real_detail(drawn, 255 - real, np.ones((1, SIDE, SIDE), np.float32), 1.0)
    assert fine(other[:, :, :8]) < 0.1 * fine(real.astype(float))
