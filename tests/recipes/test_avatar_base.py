"""Who the avatars' base network may learn from, and how it is measured."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from recipes.avatar_base.gather import films_of, person_of
from recipes.avatar_base.measure import Clip, numbers
from tests.avatar.faces import landmarks_of, talking


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("s2_bbaf1n", "s2"),
        ("grid_pwij3p", "s2"),
        ("sA_bbab8n", "sA"),
        ("s4_bbae9n", None),
        ("s30_bwwy5n", None),
        ("s34_lbwh5n", None),
        ("grid_swiz3n", None),
        ("grid_032621_6a59e295", None),
    ],
)
def test_only_people_who_may_be_learnt(name, person):
    assert person_of(Path(f"{name}.mp4")) == person


def test_strangers_stay_unseen(data):
    films = films_of(data)
    assert {"s2", "s3", "s5", "s26", "s32"} <= set(films) and not {"s1", "s4", "s30", "s31", "s34"} & set(films)
    assert all(path.parent.name in ("grid", "grid_more") for paths in films.values() for path in paths)


def test_numbers_tell_a_copy_from_a_blur_and_a_still():
    from emo_core.face.rig import load_rig

    size, random = 128, np.random.default_rng(0)
    points = landmarks_of(talking(12), load_rig(), size)[..., :2]
    truth = random.normal(128, 30, (12, size, size, 3)).clip(0, 255).astype(np.float32)
    blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in truth])
    clip = Clip(truth, points, {"copy": truth, "blur": blurred, "still": np.repeat(truth[:1], 12, axis=0)})
    copy, blur, still = (numbers(clip, name) for name in ("copy", "blur", "still"))
    assert copy["mouth"] > 70 > blur["mouth"] and copy["motion"] == 0
    assert copy["sharp"] == copy["seam"] == pytest.approx(1) and blur["sharp"] < 0.6 and blur["seam"] < 0.6
    assert still["motion"] == pytest.approx(1)
