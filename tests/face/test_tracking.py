"""One face through the frames of a clip."""

from types import SimpleNamespace

import numpy as np
import pytest

from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.detect import Face
from emo_core.face.region import RegionRequest, find_faces

PICTURE = np.zeros((100, 1000, 3), np.uint8)


def at(left: float, side: float = 50) -> Face:
    return Face(Box(left, 20, left + side, 20 + side))


def places(frames: list[list[Face]], index: int | None = 0) -> list[float | None]:
    """Where the face is in each frame: its left edge."""
    given = iter(frames)
    detector = SimpleNamespace(detect=lambda image: next(given))
    found = find_faces([PICTURE] * len(frames), RegionRequest(face_index=index), detector)
    return [None if face is None else face.box.left for face in found]


@pytest.mark.parametrize(("index", "expected"), [(0, [100, 110, 120]), (1, [400, 395, 390])])
def test_sizes_that_change_places_change_nothing(index, expected):
    assert places([[at(100), at(400)], [at(395), at(110)], [at(120), at(390)]], index) == expected


def test_frames_before_it_comes_and_where_it_is_missed_are_left_out():
    """And the other one is not taken instead, however near."""
    frames = [[at(400)], [], [at(400), at(440)], [at(400)], [at(401)], [at(400), at(445)]]
    assert places(frames, 1) == [None, None, 440, None, None, 445]


def test_a_leap_ends_at_the_nearest():
    assert places([[at(100)], [at(300)], [at(700), at(380)]]) == [100, 300, 380]


def test_who_was_nobody_before_is_not_taken_for_somebody():
    """A third one comes in beside the second."""
    assert places([[at(100), at(400)], [at(460), at(400)]]) == [100, None]


def test_who_comes_far_off_is_somebody_else():
    """After a cut, or where one has left and another come."""
    assert places([[at(100)], [at(800)], [at(110)]]) == [100, None, 110]


def test_what_is_wrong_is_said_of_all_frames():
    with pytest.raises(InputError, match=r"^2 pictures: portrait: no face found in the 1000 x 100 picture"):
        places([[], []])
    with pytest.raises(InputError, match=r"^3 pictures: face index: got 2; the portrait has 2"):
        places([[at(100)], [at(100), at(300)], []], 2)
    with pytest.raises(InputError, match=r"^2 pictures: portrait: 2 faces found"):
        places([[at(100), at(300)], [at(100)]], None)
    with pytest.raises(InputError, match=r"^portrait: no face found"):
        places([[]])
