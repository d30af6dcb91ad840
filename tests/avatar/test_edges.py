"""Drawings of a face."""

import numpy as np
import pytest

from emo_core.avatar.edges import CHANNELS, MOUTH_CHANNELS, draw_edges
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import load_rig

from .faces import landmarks_of, talking

SIZE = 256


@pytest.fixture(scope="module")
def rig():
    return load_rig()


def channel(drawn: np.ndarray, name: str) -> np.ndarray:
    return drawn[:, CHANNELS.index(name)].astype(float) / 255


def test_an_open_mouth_has_an_inside_and_a_closed_one_a_seam(rig):
    closed = FaceMotion.still(1, 25)
    wide = closed.with_curves({"jawOpen": np.ones(1)})
    drawn = [draw_edges(landmarks_of(motion, rig, SIZE), SIZE) for motion in (closed, wide)]
    inside = [channel(each, "mouth").sum() for each in drawn]
    assert inside[0] == 0 < 200 < inside[1]
    assert channel(drawn[0], "seam").sum() > 20
    assert (channel(drawn[1], "lips") * channel(drawn[1], "mouth")).max() < 1  # Only their smooth edges meet.


def test_a_shift_of_a_quarter_pixel_shows(rig):
    points = landmarks_of(FaceMotion.still(1, 25), rig, SIZE)
    columns = np.arange(SIZE) + 0.5
    centres = [
        (channel(draw_edges(points + np.array([shift, 0, 0]), SIZE), "lips").sum((0, 1)) * columns).sum()
        / channel(draw_edges(points + np.array([shift, 0, 0]), SIZE), "lips").sum()
        for shift in (0, 0.25, 0.5)
    ]
    assert np.diff(centres) == pytest.approx([0.25, 0.25], abs=0.06)


def test_places_count_from_the_corner(rig):
    points = landmarks_of(FaceMotion.still(1, 25), rig, SIZE)
    lips = channel(draw_edges(points, SIZE), "lips")[0]
    centre = (lips.sum(0) * (np.arange(SIZE) + 0.5)).sum() / lips.sum()
    assert centre == pytest.approx(SIZE / 2, abs=0.15)  # The rig's face is symmetric around the middle.


def test_channels_are_chosen_by_name(rig):
    points = landmarks_of(talking(2), rig, SIZE)
    every, some = draw_edges(points, SIZE), draw_edges(points, SIZE, channels=MOUTH_CHANNELS)
    for place, name in enumerate(MOUTH_CHANNELS):
        assert np.array_equal(some[:, place], every[:, CHANNELS.index(name)])


def test_an_iris_stays_between_the_lids(rig):
    shut = FaceMotion.still(1, 25).with_curves({"eyeBlinkLeft": np.ones(1), "eyeBlinkRight": np.ones(1)})
    drawn = [draw_edges(landmarks_of(motion, rig, SIZE), SIZE) for motion in (FaceMotion.still(1, 25), shut)]
    assert channel(drawn[1], "iris").sum() < 0.5 * channel(drawn[0], "iris").sum()


def test_faces_outside_the_picture_are_cut_off(rig):
    points = landmarks_of(talking(1), rig, SIZE)
    assert not draw_edges(points + np.array([10 * SIZE, 0, 0]), SIZE).any()
    assert draw_edges(points * 8, SIZE).shape == (1, len(CHANNELS), SIZE, SIZE)
