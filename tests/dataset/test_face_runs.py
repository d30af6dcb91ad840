"""Runs of one face, split from a stream of frames, and their pieces."""

import itertools

import numpy as np
import pytest

from emo_core.dataset.face_runs import Faceless, FrameFaces, Run, split_pieces, split_runs
from emo_core.dataset.filters import Rules
from emo_core.face.detect import Face

SIZE = (200, 100)


def frames(*places, first=0):
    """A frame for each place: x of the face, or None for no face."""
    noise = np.random.default_rng(0).uniform(-20, 20, (478, 3))
    for number, x in enumerate(places, first):
        face = (
            None
            if x is None
            else Face.of_mesh(np.float32(noise + np.array([x, 50.0, 0.0])), np.full(52, x, np.float32))
        )
        yield FrameFaces(number, SIZE, face, luma=float(x or 0))


def lengths(runs):
    return [(run.first, run.frames) for run in runs]


def test_a_run_ends_where_the_face_jumps_or_is_missing():
    places = [50] * 5 + [None] * 2 + [53] * 5 + [None] * 3 + [50] * 4 + [150] * 4
    runs = list(split_runs(frames(*places, first=100), Rules(missing=2), 25))
    assert lengths(runs) == [(100, 12), (115, 4), (119, 4)]
    first = runs[0]
    assert first.landmarks.dtype == np.float32 and first.size == SIZE
    # Missing frames are interpolated.
    for values in (first.landmarks[:, :, 0].mean(1) - first.landmarks[0, :, 0].mean() + 50, first.luma):
        assert values[4:8] == pytest.approx([50, 51, 52, 53], abs=1e-3)
    assert first.blendshapes[4:8, 0] == pytest.approx([50, 51, 52, 53])


def test_a_scene_without_a_face_gives_its_length():
    assert list(split_runs(frames(*[None] * 7, first=3), Rules(), 25)) == [Faceless(3, 7)]
    assert list(split_runs([], Rules(), 25)) == []


@pytest.mark.parametrize("seconds", [9, 10, 10.04, 15, 61.3])
def test_a_long_run_is_cut_into_pieces_of_similar_length(seconds):
    """Up to ten of the longest pieces, here 10 s, are cut into equal pieces; no short rest remains of a longer run."""
    rules = Rules(min_seconds=0.5, max_seconds=1)
    count = round(seconds * 25)
    runs = list(split_runs(frames(*[50] * count), rules, 25))
    assert len(runs) == 1 or seconds > 10
    assert max(run.frames for run in runs) <= 250
    pieces = [piece for run in runs for piece in split_pieces(run, 25, rules)]
    assert [pieces[0].first, *(piece.stop for piece in pieces)] == [*(piece.first for piece in pieces), count]
    assert all(20 <= piece.frames <= 25 for piece in pieces)


def test_a_long_run_is_cut_before_it_ends():
    rules, consumed = Rules(min_seconds=0.5, max_seconds=1), itertools.count()
    stream = (frame for frame in frames(*[50] * 1000) if next(consumed) >= 0)
    assert lengths([next(split_runs(stream, rules, 25))]) == [(0, 125)]
    assert next(consumed) == 251


def test_a_gap_at_the_cut_of_a_long_run_loses_no_more_than_the_gap():
    places = [50] * 124 + [None] * 3 + [50] * 200
    runs = list(split_runs(frames(*places), Rules(max_seconds=1), 25))
    assert lengths(runs) == [(0, 124), (127, 200)]


def test_pieces_are_equal_and_not_too_short():
    run = Run(0, SIZE, np.zeros((325, 478, 3)), None, np.zeros(325), 0.0)  # 13 seconds.
    halves = split_pieces(run, 25, Rules(min_seconds=2, max_seconds=10))
    assert sorted(part.frames for part in halves) == [162, 163]
    (longest,) = split_pieces(run, 25, Rules(min_seconds=8, max_seconds=10))
    assert longest.frames == 250
