"""Galleries of real mouths, and paths through them."""

import itertools

import numpy as np
import pytest

from emo_core.avatar.patches import PatchPlace
from emo_core.avatar.pictures import PicturesWriter
from emo_core.avatar.retrieval import (
    Gallery,
    best_path,
    choose_mouths,
    lip_distances,
    lip_shapes,
    look_distances,
    opening,
)
from emo_core.errors import InputError
from emo_core.face.rig import load_rig

from .faces import drawn_track

SIZE = 64


@pytest.fixture(scope="module")
def points():
    track = drawn_track(load_rig(), size=2 * SIZE, takes=(60,))
    return PatchPlace.of(track.landmarks, track.neutral, SIZE).inside(track.landmarks)


def gallery_of(points) -> Gallery:
    writer = PicturesWriter()
    for number in range(len(points)):
        writer.add(np.full((SIZE, SIZE, 3), number, np.uint8))
    return Gallery(writer.done(), points.astype(np.float32), np.zeros((len(points), 6), np.float32), SIZE)


def test_distances_are_pixels_of_a_patch_of_128(points):
    lips = lip_shapes(points, SIZE)
    assert np.diag(lip_distances(lips, lips)).max() < 0.05
    moved = lip_shapes(points + np.array([0.5, 0]), SIZE)
    assert np.diag(lip_distances(lips, moved)) == pytest.approx(1.0, abs=0.01)


def test_another_pose_and_another_light_are_farther():
    looks = np.array([[0, 0, 0, 120, 100, 90], [0, 10, 0, 120, 100, 90], [0, 0, 0, 150, 110, 70]], np.float32)
    far = look_distances(looks[:1], looks)[0]
    assert far[0] == 0 and far[1] == pytest.approx(1.0) and 0.5 < far[2] < 2


def test_chosen_mouths_cover_all_shapes(points):
    lips = lip_shapes(points, SIZE)
    chosen = choose_mouths(lips, 12)
    assert len(set(chosen)) == 12 and (np.diff(chosen) > 0).all()
    assert opening(lips).argmax() in chosen
    reached = lip_distances(lips, lips[chosen]).min(1).max()
    first = lip_distances(lips, lips[:12]).min(1).max()
    assert reached < 0.7 * first


def test_doubles_are_not_chosen(points):
    assert len(choose_mouths(lip_shapes(np.repeat(points[:3], 5, axis=0), SIZE), 10)) <= 4


def cost_of(costs: np.ndarray, path: tuple[int, ...], switch: float, before: int | None) -> float:
    turns = sum(one != two for one, two in itertools.pairwise(path)) + (before is not None and path[0] != before)
    return sum(costs[frame, mouth] for frame, mouth in enumerate(path)) + switch * turns


@pytest.mark.parametrize("before", [None, 1])
def test_the_path_is_the_cheapest(before):
    random = np.random.default_rng(0)
    for switch in (0.1, 0.5, 2.0):
        costs = random.random((5, 4))
        best = min(cost_of(costs, path, switch, before) for path in itertools.product(range(4), repeat=5))
        found = cost_of(costs, tuple(best_path(costs, switch, before=before)), switch, before)
        assert found == pytest.approx(best)


def test_a_path_switches_less_than_the_nearest(points):
    lips = lip_shapes(points, SIZE)
    costs = lip_distances(lips, lips[::5])
    path, nearest = best_path(costs), costs.argmin(1)
    assert (np.diff(path) != 0).sum() < 0.8 * (np.diff(nearest) != 0).sum()


def test_barred_mouths_are_never_taken():
    costs = np.zeros((4, 3))
    costs[:, 0] = np.inf
    costs[2, 1] = np.inf
    assert 0 not in best_path(costs) and best_path(costs)[2] == 2


def test_a_gallery_survives_a_file(points):
    gallery = gallery_of(points[:4])
    again = Gallery.from_arrays(gallery.arrays())
    assert np.array_equal(again.points, gallery.points) and again.size == SIZE
    assert np.array_equal(again.patches[3], gallery.patches[3])


@pytest.mark.parametrize(
    "change",
    [
        {"points": np.zeros((2, 478, 2), np.float32)},
        {"points": np.full((4, 478, 2), np.nan, np.float32)},
        {"looks": np.zeros((4, 5), np.float32)},
        {"size": np.array([32])},
        {"size": None},
        {"ends": np.array([3, 2, 1, 0])},
    ],
)
def test_a_broken_gallery_is_refused(points, change):
    arrays = {name: values for name, values in (gallery_of(points[:4]).arrays() | change).items() if values is not None}
    with pytest.raises(InputError, match="make it again"):
        Gallery.from_arrays(arrays)
