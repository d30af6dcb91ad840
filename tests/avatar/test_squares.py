"""Squares around a head stand still or move slowly, and are cut between pixels."""

import numpy as np
import pytest

from emo_core.avatar.squares import SquarePath, common_ratio, plan_squares
from emo_core.avatar.steady import placed, steady
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import load_rig


def disc(centre, radius, size):
    """A soft white disc on black, (height, width, 3)."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    level = np.clip(radius - np.hypot(x - centre[0], y - centre[1]) + 0.5, 0, 1)
    return np.repeat((level * 255).round().astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(("side", "size"), [(97.3, 256), (256.0, 256), (300.7, 128), (900.4, 128)])
def test_points_and_pictures_are_cut_alike(side, size):
    centre = np.array([503.27, 410.61])
    corner = centre - side * np.array([0.43, 0.56])
    path = SquarePath(corner[None], np.array([side]), size)
    square = path.cut(disc(centre, side / 8, (1000, 800)), 0)[..., 0].astype(float)
    y, x = np.mgrid[:size, :size] + 0.5
    found = np.array([(square * x).sum(), (square * y).sum()]) / square.sum()
    wanted = path.inside(np.array([[[*centre, 0.0]]]))[0, 0]
    assert np.abs(found - wanted[:2]).max() < 0.03
    assert square.sum() / 255 == pytest.approx(np.pi * (size / 8) ** 2, rel=0.02)


def test_fine_patterns_become_grey_and_borders_are_repeated():
    pattern = np.repeat(((np.indices((600, 600)).sum(0) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    small = SquarePath(np.array([[30.3, 20.8]]), np.array([500.0]), 128).cut(pattern, 0)
    assert np.abs(small.astype(int) - 127).max() < 16
    edge = SquarePath(np.array([[-50.0, 0.0]]), np.array([100.0]), 100).cut(disc((0, 50), 30, (200, 200)), 0)
    assert (edge[50, :75] > 250).all() and edge[5, 20].max() < 5


def test_a_quiet_head_has_a_square_that_stands_still():
    middle = np.array([300.0, 250.0]) + np.random.default_rng(0).normal(0, 3, (100, 2))
    path = plan_squares(middle, np.full(100, 120.0), 2.2, size=256, picture=(640, 480))
    assert path.stands_still and path.side[0] == pytest.approx(264)
    assert (np.median(middle, axis=0) - path.corner[0]) / 264 == pytest.approx([0.5, 0.48], abs=0.01)


def test_a_head_that_leaves_is_followed_slowly():
    time = np.arange(250) / 25
    middle = np.stack([600 + 250 * np.sin(time), np.full(250, 400.0)], axis=1)
    tremble = np.random.default_rng(0).normal(0, 2, middle.shape)
    path = plan_squares(middle + tremble, np.full(250, 150.0), 2.2, size=256, picture=(1280, 720))
    assert not path.stands_still
    assert np.abs((middle - path.corner) / path.side[:, None] - [0.5, 0.48]).max() < 0.13
    assert np.abs(np.diff(path.corner, 2, axis=0)).max() < 0.8  # The head's own is .4, the tremble's is about 15.


def test_the_square_stays_in_the_picture_where_it_fits():
    low = plan_squares(np.tile([300.0, 420.0], (30, 1)), np.full(30, 150.0), 2.2, size=256, picture=(640, 576))
    assert low.corner[0, 1] + low.side[0] == pytest.approx(576)
    large = plan_squares(np.tile([100.0, 100.0], (30, 1)), np.full(30, 150.0), 2.2, size=256, picture=(200, 200))
    assert (large.corner[0] <= 0).all() and (large.corner[0] + large.side[0] >= 200).all()
    assert common_ratio(np.full(10, 100.0), np.full((10, 2), 1000)) == 2.2
    assert common_ratio(np.full(10, 100.0), np.full((10, 2), 190)) == 1.9
    assert common_ratio(np.full(10, 100.0), np.full((10, 2), 100)) == 1.7


def test_landmarks_tremble_less_and_stay_in_time():
    """A head that rests, turns and rests again, seen with a fifth of a pixel of noise."""
    rig, frames = load_rig(), 1100
    yaw = 15 * np.clip((np.arange(frames) - 520) / 20, 0, 1)
    rotation = np.stack([0 * yaw, yaw, 0 * yaw], axis=1).astype(np.float32)
    motion = FaceMotion(
        coefficients=np.zeros((frames, len(rig.names)), np.float32), rotation=rotation, translation=0 * rotation, fps=25
    )
    true = rig.points(motion) * [80, -80, -80] + [200, 200, 0]
    common = np.random.default_rng(0).normal(0, 0.2, (frames, 1, 3)) * [1, 1, 0]
    noisy = true + common + np.random.default_rng(1).normal(0, 0.1, true.shape)
    result = placed(steady(noisy.astype(np.float32)), 0, frames)
    before, after = (np.linalg.norm((part - true)[..., :2].mean(1), axis=1) for part in (noisy, result))
    assert np.sqrt((after[:500] ** 2).mean()) < 0.6 * np.sqrt((before[:500] ** 2).mean())
    assert np.sqrt((after[510:550] ** 2).mean()) < 1.2 * np.sqrt((before[510:550] ** 2).mean())
    steps = np.abs(np.diff(result[480:500, 1, :2], axis=0)).max()  # Nothing shows where two parts meet.
    assert np.abs(np.diff(result[496:504, 1, :2], axis=0)).max() < 2 * steps
