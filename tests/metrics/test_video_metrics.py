"""Every number against a case whose answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo_core.evaluate.evaluate import expressions
from emo_core.metrics.observation import FACE, Observed
from emo_core.metrics.video_metrics import against, alone, best_lag, frechet, inside, of_set, smooth
from tests.face.test_pose import SIZE, project, turn

FPS, CLIP = 25.0, 12


def video(frames=100, opening=None, seed=0, **changes):
    """A face that only opens its mouth."""
    rng = np.random.default_rng(seed)
    opening = 0.05 * (1 + np.sin(np.arange(frames))) if opening is None else opening
    points = np.tile(rng.uniform(80, 180, (478, 2)), (frames, 1, 1))
    points[:, 10], points[:, 152] = (128, 60), (128, 200)
    points[:, 13] = (128, 150)
    points[:, 14] = np.stack([np.full(frames, 128.0), 150 + 140 * opening], axis=1)
    face = rng.standard_normal((FACE, FACE)).astype(np.float32)
    face = (face - face.mean()) / face.std()
    made = Observed(
        name="a",
        path=Path("a.mp4"),
        fps=FPS,
        size=(256, 256),
        landmarks=points,
        blendshapes=rng.uniform(0, 0.2, (frames, 52)),
        loud=np.abs(np.sin(np.arange(frames) / 2)),
        colour=np.full((frames, 3), 100.0),
        fine=np.full(frames, 4.0),
        change=np.ones(frames),
        flicker=np.full(frames, 0.5),
        faces=np.tile(face, (frames, 1, 1)),
        sheet=np.zeros((8, 256, 256, 3), np.uint8),
    )
    return replace(made, **changes)


def test_a_video_against_itself():
    one = video()
    found = against(one, one)
    assert found["opening_correlation"] == pytest.approx(1)
    assert found["opening_spread_ratio"] == pytest.approx(1)
    assert found["opening_lag"] == 0
    assert found["sharpness_ratio"] == 1
    assert found["identity_distance"] == pytest.approx(0, abs=1e-5)


def test_half_as_open_three_frames_late():
    curve = np.random.default_rng(1).uniform(0.0, 0.1, 103)
    true, made = video(opening=curve[3:]), video(opening=curve[:100] / 2)
    found = against(made, true)
    assert found["opening_lag"] == 3
    assert found["opening_spread_ratio"] == pytest.approx(0.5, abs=0.03)
    assert best_lag(true.opening, made.opening) == -3


def test_a_still_mouth_is_not_in_time():
    still = np.full(100, 0.02)
    assert best_lag(still, video().opening) is None
    assert best_lag(np.random.default_rng(0).uniform(0, 1, 400), np.random.default_rng(1).uniform(0, 1, 400)) is None


def test_a_gap_is_no_motion():
    """A head that turns steadily and is lost for a while has not jumped."""
    turning = video()
    turning.landmarks[:] += np.arange(100)[:, None, None] * 0.5
    lost = video()
    lost.landmarks[:] = turning.landmarks
    lost.landmarks[40:70] = np.nan
    assert len(lost.speed) == 70
    assert lost.speed.max() < turning.speed.max() * 1.5


def test_smoothing_is_the_mean_of_three():
    assert smooth(np.array([0.0, 3.0, 0.0, 0.0])).tolist() == [1.0, 1.0, 1.0, 0.0]


def test_what_cannot_be_said_is_none():
    blind = video()
    blind.landmarks[:] = np.nan
    found = against(blind, video())
    assert found["opening_correlation"] is None and found["opening_lag"] is None
    assert alone(blind)["face_found"] == 0
    assert alone(video())["identity_drift"] is None  # Four seconds are too short to drift.
    assert alone(video(blendshapes=np.zeros((100, 0))))["blinks"] is None
    assert of_set([alone(video(blendshapes=np.zeros((100, 0))))])["blinks_per_minute"] is None


def test_seams_are_told_from_the_inside():
    change = np.ones(100)
    change[0] = np.nan
    change[CLIP::CLIP] = 3.0
    assert alone(video(change=change), clip_frames=CLIP)["seam_ratio"] == pytest.approx(3)
    assert "seam_ratio" not in alone(video())


def test_drift_is_the_end_over_the_start():
    frames = 30 * 25
    colour = np.full((frames, 3), 100.0)
    colour[-50:] += 7
    still = video(frames)
    faces = still.faces.copy()
    rng = np.random.default_rng(5)
    noise = rng.standard_normal(faces.shape).astype(np.float32)
    share = np.where(np.arange(frames) < frames - 50, 0.1, 0.2)[:, None, None]
    mixed = (1 - share) * faces + share * noise
    found = alone(replace(still, colour=colour, faces=mixed))
    assert found["colour_drift"] == pytest.approx(7)
    assert found["identity_drift"] == pytest.approx((1 - 0.9 * 0.8) / (1 - 0.9 * 0.9), rel=0.02)


def test_blinks_are_counted_once_each_over_all_of_the_time():
    shapes = np.zeros((250, 52))
    for start in (20, 100, 180):
        shapes[start : start + 5, 9:11] = 0.9
    blinking, staring = alone(video(250, blendshapes=shapes)), alone(video(250, blendshapes=np.zeros((250, 52))))
    assert (blinking["blinks"], staring["blinks"]) == (3, 0)
    # Most of these never blink: a median would say that none does.
    assert of_set([blinking, staring, staring])["blinks_per_minute"] == pytest.approx(6)


def test_a_lid_that_comes_with_its_face_has_not_closed():
    shapes = np.full((250, 52), 0.9)
    shapes[:100] = np.nan
    assert alone(video(250, blendshapes=shapes))["blinks"] == 0


def test_few_frames_say_nothing_of_a_mouth():
    rng = np.random.default_rng(0)
    for frames in (1, 2, 5, 11):
        short = video(frames, opening=rng.uniform(0, 0.1, frames))
        found = against(short, video())
        assert found["opening_correlation"] is None and found["opening_lag"] is None
    assert against(video(12, opening=rng.uniform(0, 0.1, 12)), video())["opening_correlation"] is not None


def test_frechet_distance_of_normals():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((20000, 3)), 2 * rng.standard_normal((20000, 3)) + [3, 0, 0]
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet(a, b) == pytest.approx(9 + 3 * (1 + 4 - 4), rel=0.03)
    assert frechet(a[:4], b) is None


def test_a_video_without_a_face_has_no_expressions():
    nobody = video(blendshapes=np.zeros((100, 0)))
    assert expressions([nobody, video(), nobody]).shape == (100, 52)
    for pair in ([nobody], [video()]), ([video()], [nobody]):
        assert frechet(*map(expressions, pair)) is None


def test_the_speed_of_a_head_that_turns():
    points = project(np.stack([turn("y", 0.8 * frame - 20) for frame in range(50)]))
    slow = project(np.stack([turn("y", 0.4 * frame - 10) for frame in range(50)]))
    heads = [alone(video(50, landmarks=landmarks, size=SIZE)) for landmarks in (points, slow)]
    numbers = of_set(heads)
    assert [head["speed_mean"] for head in heads] == pytest.approx([0.8, 0.4], rel=0.03)
    assert numbers["speed_mean"] == pytest.approx(0.6, rel=0.03)
    assert numbers["speed_variance_across_clips"] == pytest.approx(0.04, rel=0.06)


def test_speed_over_a_set_and_places_in_a_box():
    numbers = of_set([alone(video()), alone(video(seed=1))])
    assert numbers["speed_mean"] == pytest.approx(0, abs=1e-6)
    assert numbers["speed_variance_across_clips"] == pytest.approx(0, abs=1e-9)
    assert inside(video(), (0.2, 0.2, 0.8, 0.8)) == 1
    assert inside(video(), (0.0, 0.0, 0.2, 0.2)) == 0
