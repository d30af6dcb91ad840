"""Metrics of one video and of a pair, on observations with known results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emo_core.evaluate.evaluate import stack_blendshapes
from emo_core.metrics.observation import FACE_SIDE, Observation
from emo_core.metrics.similarity import compare_videos, frechet_distance
from emo_core.metrics.video_metrics import set_metrics, share_inside_region, video_metrics
from tests.face.test_pose import SIZE, project, turn

FPS, CLIP = 25.0, 12


def observation(frames=100, opening=None, seed=0, **changes):
    """A face that only opens its mouth."""
    rng = np.random.default_rng(seed)
    opening = 0.05 * (1 + np.sin(np.arange(frames))) if opening is None else opening
    points = np.tile(rng.uniform(80, 180, (478, 2)), (frames, 1, 1))
    points[:, 10], points[:, 152] = (128, 60), (128, 200)
    points[:, 13] = (128, 150)
    points[:, 14] = np.stack([np.full(frames, 128.0), 150 + 140 * opening], axis=1)
    face = rng.standard_normal((FACE_SIDE, FACE_SIDE)).astype(np.float32)
    face = (face - face.mean()) / face.std()
    video = Observation(
        name="a",
        path=Path("a.mp4"),
        fps=FPS,
        size=(256, 256),
        landmarks=points,
        blendshapes=rng.uniform(0, 0.2, (frames, 52)),
        loudness=np.abs(np.sin(np.arange(frames) / 2)),
        colour=np.full((frames, 3), 100.0),
        fine_detail=np.full(frames, 4.0),
        frame_change=np.ones(frames),
        flicker=np.full(frames, 0.5),
        face_crops=np.tile(face, (frames, 1, 1)),
        sample_frames=np.zeros((8, 256, 256, 3), np.uint8),
    )
    return replace(video, **changes)


def test_a_video_equals_itself():
    video = observation()
    metrics = compare_videos(video, video)
    assert metrics["opening_correlation"] == pytest.approx(1)
    assert metrics["opening_spread_ratio"] == pytest.approx(1)
    assert metrics["opening_lag"] == 0
    assert metrics["sharpness_ratio"] == 1
    assert metrics["identity_distance"] == pytest.approx(0, abs=1e-5)


def test_head_speed_ignores_gaps_without_a_face():
    """The head turns steadily, and its face is missing for 30 frames."""
    turning = observation()
    turning.landmarks[:] += np.arange(100)[:, None, None] * 0.5
    gap = observation()
    gap.landmarks[:] = turning.landmarks
    gap.landmarks[40:70] = np.nan
    assert len(gap.head_speed) == 70
    assert gap.head_speed.max() < turning.head_speed.max() * 1.5


def test_results_that_cannot_be_computed_are_none():
    faceless = observation()
    faceless.landmarks[:] = np.nan
    metrics = compare_videos(faceless, observation())
    assert metrics["opening_correlation"] is None and metrics["opening_lag"] is None
    assert video_metrics(faceless)["face_found"] == 0
    assert video_metrics(observation())["identity_drift"] is None  # Four seconds are too short to drift.
    assert video_metrics(observation(blendshapes=np.zeros((100, 0))))["blinks"] is None
    assert set_metrics([video_metrics(observation(blendshapes=np.zeros((100, 0))))])["blinks_per_minute"] is None


def test_seam_ratio_is_the_change_at_borders_over_the_change_inside():
    change = np.ones(100)
    change[0] = np.nan
    change[CLIP::CLIP] = 3.0
    assert video_metrics(observation(frame_change=change), clip_frames=CLIP)["seam_ratio"] == pytest.approx(3)
    assert "seam_ratio" not in video_metrics(observation())


def test_drift_is_the_end_over_the_reference_seconds():
    frames = 30 * 25
    colour = np.full((frames, 3), 100.0)
    colour[-50:] += 7
    still = observation(frames)
    faces = still.face_crops.copy()
    rng = np.random.default_rng(5)
    noise = rng.standard_normal(faces.shape).astype(np.float32)
    share = np.where(np.arange(frames) < frames - 50, 0.1, 0.2)[:, None, None]
    mixed = (1 - share) * faces + share * noise
    metrics = video_metrics(replace(still, colour=colour, face_crops=mixed))
    assert metrics["colour_drift"] == pytest.approx(7)
    assert metrics["identity_drift"] == pytest.approx((1 - 0.9 * 0.8) / (1 - 0.9 * 0.9), rel=0.02)


def test_each_blink_counts_once_and_the_rate_is_over_the_whole_set():
    shapes = np.zeros((250, 52))
    for start in (20, 100, 180):
        shapes[start : start + 5, 9:11] = 0.9
    blinking, staring = (
        video_metrics(observation(250, blendshapes=shapes)),
        video_metrics(observation(250, blendshapes=np.zeros((250, 52)))),
    )
    assert (blinking["blinks"], staring["blinks"]) == (3, 0)
    # Two of three never blink, so a median would be 0.
    assert set_metrics([blinking, staring, staring])["blinks_per_minute"] == pytest.approx(6)


def test_a_face_that_appears_with_closed_eyes_is_no_blink():
    shapes = np.full((250, 52), 0.9)
    shapes[:100] = np.nan
    assert video_metrics(observation(250, blendshapes=shapes))["blinks"] == 0


def test_frechet_distance_of_normal_distributions():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((20000, 3)), 2 * rng.standard_normal((20000, 3)) + [3, 0, 0]
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, b) == pytest.approx(9 + 3 * (1 + 4 - 4), rel=0.03)
    assert frechet_distance(a[:4], b) is None


def test_a_video_without_faces_adds_no_blendshapes():
    nobody = observation(blendshapes=np.zeros((100, 0)))
    assert stack_blendshapes([nobody, observation(), nobody]).shape == (100, 52)
    for pair in ([nobody], [observation()]), ([observation()], [nobody]):
        assert frechet_distance(*map(stack_blendshapes, pair)) is None


def test_head_speed_of_heads_that_turn_at_a_known_rate():
    points = project(np.stack([turn("y", 0.8 * frame - 20) for frame in range(50)]))
    slow = project(np.stack([turn("y", 0.4 * frame - 10) for frame in range(50)]))
    heads = [video_metrics(observation(50, landmarks=landmarks, size=SIZE)) for landmarks in (points, slow)]
    metrics = set_metrics(heads)
    assert [head["speed_mean"] for head in heads] == pytest.approx([0.8, 0.4], rel=0.03)
    assert metrics["speed_mean"] == pytest.approx(0.6, rel=0.03)
    assert metrics["speed_variance_across_clips"] == pytest.approx(0.04, rel=0.06)


def test_speed_of_a_still_set_and_share_inside_a_region():
    metrics = set_metrics([video_metrics(observation()), video_metrics(observation(seed=1))])
    assert metrics["speed_mean"] == pytest.approx(0, abs=1e-6)
    assert metrics["speed_variance_across_clips"] == pytest.approx(0, abs=1e-9)
    assert share_inside_region(observation(), (0.2, 0.2, 0.8, 0.8)) == 1
    assert share_inside_region(observation(), (0.0, 0.0, 0.2, 0.2)) == 0
