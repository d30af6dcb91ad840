"""The stretch of film under an avatar's mouth."""

import numpy as np
import pytest

from emo_core.avatar.pictures import PicturesWriter
from emo_core.avatar.stage import Stage, choose_stage, there_and_back
from emo_core.avatar.takes import Take
from emo_core.avatar.track import Track
from emo_core.errors import CheckpointError
from emo_core.face.motion import FaceMotion

SIDE = 64


def a_track(takes=(30, 50), turned=(), lost=()):
    """Frames whose grey tells their number; `turned` frames look away."""
    count, writer = sum(takes), PicturesWriter()
    for number in range(count):
        writer.add(np.full((SIDE, SIDE, 3), number, np.uint8))
    motion = FaceMotion.still(count, 25)
    rotation = motion.rotation.copy()
    rotation[list(turned)] = (0, 20, 0)
    shown = np.ones(count, bool)
    shown[list(lost)] = False
    firsts = np.cumsum([0, *takes[:-1]])
    return Track(
        pictures=writer.done(),
        landmarks=np.random.default_rng(0).uniform(10, 50, (count, 478, 3)).astype(np.float32),
        shown=shown,
        motion=FaceMotion(coefficients=motion.coefficients, rotation=rotation, translation=motion.translation, fps=25),
        neutral=np.zeros((478, 3)),
        takes=tuple(
            Take(f"take {n}", int(first), frames, None)
            for n, (first, frames) in enumerate(zip(firsts, takes, strict=True))
        ),
        size=SIDE,
    )


def numbers(stage):
    return [int(stage.pictures[n].mean().round()) for n in range(stage.replayed)]


def test_the_film_is_played_forward_and_back():
    assert there_and_back(0, 8, 4).tolist() == [0, 1, 2, 3, 2, 1, 0, 1]
    assert there_and_back(3, 4, 4).tolist() == [3, 2, 1, 0]
    assert there_and_back(5, 3, 1).tolist() == [0, 0, 0]


def test_blocks_continue_each_other():
    whole = there_and_back(0, 100, 7)
    assert np.array_equal(np.concatenate([there_and_back(start, 10, 7) for start in range(0, 100, 10)]), whole)


def test_the_stretch_stays_in_one_take_and_avoids_lost_frames():
    shown = numbers(choose_stage(a_track(lost=(60,))))
    assert shown == list(range(30))  # The second take is cut in two shorter runs.
    assert numbers(choose_stage(a_track())) == list(range(30, 80))


def test_the_key_frame_looks_to_the_camera():
    turned = [n for n in range(80) if n not in (41, 42, 43, 44, 45)]
    stage = choose_stage(a_track(turned=turned[::2]))
    assert np.abs(stage.motion.rotation[-1]).max() == 0


def test_a_stage_survives_a_file():
    stage = choose_stage(a_track())
    back = Stage.from_arrays(stage.arrays())
    assert np.array_equal(back.landmarks, stage.landmarks) and numbers(back) == numbers(stage) and back.masks is None


@pytest.mark.parametrize("part", ["landmarks", "ends", "rotation"])
def test_a_damaged_stage_is_refused(part):
    arrays = choose_stage(a_track()).arrays()
    arrays[part] = arrays[part][:-1]
    with pytest.raises(CheckpointError, match="avatar: its frames"):
        Stage.from_arrays(arrays)
