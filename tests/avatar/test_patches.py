"""The patch on the skull, and points with another mouth."""

import numpy as np
import pytest

from emo_core.avatar.patches import PatchPlace, place_points, spoken_region, window
from emo_core.avatar.retrieval import LIP_POINTS
from emo_core.avatar.warping import bent, in_light_of
from emo_core.face.mesh_points import EYE_CORNERS, RIGHT_BROW
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import load_rig

from .faces import drawn_track, landmarks_of, neutral_of, talking

SIZE, PATCH = 256, 128


@pytest.fixture(scope="module")
def rig():
    return load_rig()


@pytest.fixture(scope="module")
def neutral(rig):
    return neutral_of(rig, SIZE)


def turned(points: np.ndarray, degrees: float, zoom: float, shift: tuple[float, float]) -> np.ndarray:
    """In the picture's plane, around its corner."""
    angle = np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([points[..., :2] @ turn.T + shift, zoom * points[..., 2:]], axis=-1)


def test_speech_does_not_move_the_patch(rig, neutral):
    landmarks = landmarks_of(talking(30), rig, SIZE)
    matrices = PatchPlace.of(landmarks, neutral, PATCH, smooth=0).matrices
    places = matrices @ np.array([SIZE / 2, SIZE / 2, 1])
    assert np.ptp(places, axis=0).max() < 0.6 < 5 < np.ptp(landmarks[:, 152, 1])


def test_the_patch_follows_place_size_and_tilt(rig, neutral):
    landmarks = landmarks_of(talking(1), rig, SIZE)
    inside = [
        PatchPlace.of(points, neutral, PATCH, smooth=0).inside(points)
        for points in (landmarks, turned(landmarks, 17, 1.3, (20, -30)))
    ]
    assert np.abs(inside[0] - inside[1]).max() < 0.01


def test_the_patch_shows_the_lower_face(rig, neutral):
    landmarks = landmarks_of(FaceMotion.still(1, 25).with_curves({"jawOpen": np.ones(1)}), rig, SIZE)
    inside = PatchPlace.of(landmarks, neutral, PATCH).inside(landmarks)[0]
    assert 0 < inside[[1, 2, 61, 291, 152, 58, 288], :].min() and inside[[152, 58, 288]].max() < PATCH
    assert inside[10, 1] < 0  # No forehead.


def test_a_smooth_way_has_less_jitter(rig, neutral):
    noise = np.random.default_rng(0).normal(0, 0.5, (40, 478, 3))
    landmarks = landmarks_of(talking(40), rig, SIZE) + noise
    jitter = [
        np.diff(PatchPlace.of(landmarks, neutral, PATCH, smooth=smooth).matrices[:, :, 2], axis=0).std()
        for smooth in (0.0, 1.0)
    ]
    assert jitter[1] < 0.6 * jitter[0]


def test_what_is_cut_can_be_laid_back(rig, neutral):
    track = drawn_track(rig, size=SIZE, takes=(2,))
    places, square = PatchPlace.of(track.landmarks, neutral, PATCH), track.pictures[0]
    patch, mask = places.cut(square, 0), window(PATCH)
    laid = places.lay(square, patch, mask, 0)
    assert np.abs(laid.astype(int) - square).mean() < 0.5
    assert np.array_equal(places.lay(square, 255 - patch, 0 * mask, 0), square)
    other = places.lay(square, 255 - patch, mask, 0)
    assert np.array_equal(other[:20], square[:20]) and not np.array_equal(other, square)


def test_the_region_covers_both_chins_and_ends_inside_the_patch(rig, neutral):
    motion = FaceMotion.still(2, 25).with_curves({"jawOpen": np.array([0.0, 1.0])})
    landmarks = landmarks_of(motion, rig, SIZE)
    points = PatchPlace.of(landmarks, neutral, PATCH).inside(landmarks)
    region = spoken_region(list(points), PATCH)
    for face in points:
        x, y = face[152].astype(int)
        assert region[y, x] > 0.95
    border = np.concatenate([region[[0, -1]].ravel(), region[:, [0, -1]].ravel()])
    assert border.max() == 0 and window(PATCH)[[0, -1]].max() == 0


def test_the_same_mouth_stays_exactly(rig, neutral):
    motion = talking(5, turning=5)
    landmarks = landmarks_of(motion, rig, SIZE).astype(np.float32)
    assert np.abs(place_points(landmarks, motion, motion, neutral, rig) - landmarks).max() < 1e-4


def test_only_the_mouth_is_moved_and_it_fits(rig, neutral):
    base, target = talking(20, turning=5), talking(20, turning=5, phase=2)
    landmarks = landmarks_of(base, rig, SIZE)
    placed = place_points(landmarks, base, target, neutral, rig)
    still = [*EYE_CORNERS, *RIGHT_BROW, 168]
    assert np.abs(placed[:, still] - landmarks[:, still]).max() < 0.05
    wanted = landmarks_of(target, rig, SIZE)
    error = np.linalg.norm((placed - wanted)[:, LIP_POINTS, :2], axis=-1)
    before = np.linalg.norm((landmarks - wanted)[:, LIP_POINTS, :2], axis=-1)
    assert error.mean() < 0.25 < 2 < before.mean()


def test_lips_close_on_a_base_whose_fit_is_wrong(rig, neutral):
    """The base's lips are farther apart than its motion says."""
    base = FaceMotion.still(1, 25).with_curves({"jawOpen": np.array([0.6])})
    landmarks = landmarks_of(base, rig, SIZE)
    landmarks[:, 14, 1] += 3
    placed = place_points(landmarks, base, FaceMotion.still(1, 25), neutral, rig)
    assert abs(placed[0, 14, 1] - placed[0, 13, 1]) < 0.8


def test_a_mouth_is_bent_to_other_points(rig, neutral):
    track = drawn_track(rig, size=SIZE, takes=(30,))
    places = PatchPlace.of(track.landmarks, track.neutral, PATCH)
    points = places.inside(track.landmarks)
    patches = [places.cut(track.pictures[frame], frame).astype(float) for frame in range(30)]
    moved = bent(patches[0].astype(np.uint8), points[0], points[3])
    rows, columns = slice(40, 100), slice(34, 94)
    error = [np.abs(each - patches[3])[rows, columns].mean() for each in (moved, patches[0])]
    assert error[0] < 0.5 * error[1]
    same = bent(patches[0].astype(np.uint8), points[0], points[0])
    assert np.array_equal(same, patches[0])


def test_a_mouth_takes_the_bases_light():
    base = np.full((64, 64, 3), (180, 140, 120), np.uint8)
    mouth = np.full((64, 64, 3), (150, 140, 130), np.uint8)
    lit = in_light_of(mouth, base)
    assert np.abs(lit.astype(int) - base).max() <= 1
    black = in_light_of(np.zeros_like(mouth), base)
    assert not black.any()
