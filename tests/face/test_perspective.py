"""Head poses without OpenCV."""

import numpy as np
import pytest

from emo_core.face.perspective import poses_of
from emo_core.face.pose import FOCAL, RIGID, head_poses
from emo_core.face.rotation import rotation_matrices

SIZE = (640, 480)


def filmed(vectors, places):
    """Landmarks of a head as a camera sees it, with a depth that is wrong by a tenth, as a detector's."""
    model, focal = np.array(list(RIGID.values())), FOCAL * max(SIZE)
    points = model @ rotation_matrices(vectors).transpose(0, 2, 1) + places[:, None]
    landmarks = np.zeros((len(points), 478, 3))
    landmarks[:, list(RIGID), :2] = points[..., :2] / -points[..., 2:] * focal * [1, -1] + np.array(SIZE) / 2
    landmarks[:, list(RIGID), 2] = points[..., 2] * focal / places[:, 2:] * 1.1
    return landmarks


@pytest.fixture
def heads():
    draw = np.random.default_rng(0)
    return draw.uniform(-20, 20, (30, 3)), draw.uniform([-2, -1, -12], [2, 1, -6], (30, 3))


def test_poses_that_a_camera_saw_are_found_again(heads):
    vectors, places = heads
    turns, found = poses_of(filmed(vectors, places), SIZE)
    assert np.allclose(turns, rotation_matrices(vectors), atol=1e-6)
    assert np.allclose(found, places, atol=1e-5)


def test_poses_equal_opencvs_for_points_that_tremble(heads):
    pytest.importorskip("cv2", reason="comes with mediapipe")
    landmarks = filmed(*heads)
    landmarks[..., :2] += np.random.default_rng(1).normal(0, 1.0, landmarks[..., :2].shape)
    turns, places = poses_of(landmarks, SIZE)
    poses, axes = head_poses(landmarks, SIZE), np.array([1.0, -1.0, -1.0])
    assert np.allclose(turns, poses[:, :3, :3] * np.outer(axes, axes), atol=1e-3)
    assert np.allclose(places, poses[:, :3, 3] * axes, atol=1e-2)
