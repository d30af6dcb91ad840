"""Follow one face through the frames of a clip."""

from types import SimpleNamespace

import numpy as np
import pytest

from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.detect import Face
from emo_core.face.selection import RegionRequest, find_faces
from emo_core.face.tracking import FaceTracker

PICTURE = np.zeros((100, 1000, 3), np.uint8)


def at(left: float, side: float = 50) -> Face:
    return Face(Box(left, 20, left + side, 20 + side))


def places(frames: list[list[Face]], index: int | None = 0) -> list[float | None]:
    """Where the face is in each frame: its left edge."""
    results = iter(frames)
    detector = SimpleNamespace(detect=lambda image: next(results))
    faces = find_faces([PICTURE] * len(frames), RegionRequest(face_index=index), detector)
    return [None if face is None else face.box.left for face in faces]


@pytest.mark.parametrize(("index", "expected"), [(0, [100, 110, 120]), (1, [400, 395, 390])])
def test_a_face_is_followed_when_it_becomes_the_smaller_one(index, expected):
    assert places([[at(100), at(400)], [at(395), at(110)], [at(120), at(390)]], index) == expected


def test_frames_without_the_face_give_none():
    """The other face is not taken instead, however near."""
    frames = [[at(400)], [], [at(400), at(440)], [at(400)], [at(401)], [at(400), at(445)]]
    assert places(frames, 1) == [None, None, 440, None, None, 445]


def test_after_a_jump_the_nearest_face_is_taken():
    assert places([[at(100)], [at(300)], [at(700), at(380)]]) == [100, 300, 380]


def test_a_new_face_beside_another_is_not_taken_for_a_missing_one():
    assert places([[at(100), at(400)], [at(460), at(400)]]) == [100, None]


def test_a_face_far_off_is_another_one():
    """As after a cut."""
    assert places([[at(100)], [at(800)], [at(110)]]) == [100, None, 110]


def test_errors_count_all_frames():
    with pytest.raises(InputError, match=r"^2 pictures: portrait: no face found in the 1000 x 100 picture"):
        places([[], []])
    with pytest.raises(InputError, match=r"^3 pictures: face index: got 2; the portrait has 2"):
        places([[at(100)], [at(100), at(300)], []], 2)
    with pytest.raises(InputError, match=r"^2 pictures: portrait: 2 faces found"):
        places([[at(100), at(300)], [at(100)]], None)
    with pytest.raises(InputError, match=r"^portrait: no face found"):
        places([[]])


def test_a_tracker_counts_the_frames_since_the_face_was_found():
    face = at(100)
    tracker = FaceTracker(face, [face], min_overlap=0.3)
    assert tracker.follow([]) is None and tracker.follow([at(160)]) is None
    assert tracker.gap == 2
    assert tracker.follow([at(110)]).box.left == 110
    assert tracker.gap == 0
