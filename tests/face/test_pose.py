"""Head pose and speed on synthetic heads of known motion."""

import numpy as np
import pytest

from emo_core.face.pose import RIGID, head_poses, head_speed
from tests.conftest import DATA

cv2 = pytest.importorskip("cv2")
SIZE = (640, 480)


def turn(axis: str, degrees: float) -> np.ndarray:
    vector = np.deg2rad(degrees) * np.eye(3)["xyz".index(axis)]
    return cv2.Rodrigues(vector)[0]


def project(turns: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """Landmarks of a head that turns in front of the camera, by the pinhole formula."""
    model = np.array(list(RIGID.values())) * (1, -1, -1)
    points = np.einsum("fij,pj->fpi", turns, model) + np.array([0.3, -0.2, 9.0])
    pixels = 1.2 * max(SIZE) * points[..., :2] / points[..., 2:] + np.array(SIZE) / 2
    landmarks = np.zeros((len(turns), 478, 2))
    landmarks[:, list(RIGID)] = pixels + noise * np.random.default_rng(0).standard_normal(pixels.shape)
    return landmarks


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_pose_recovers_rotation_and_place(axis):
    turns = np.stack([turn(axis, degrees) for degrees in (-25, 0, 10, 30)])
    poses = head_poses(project(turns), SIZE)
    assert np.allclose(poses[:, :3, :3], turns, atol=1e-3)
    assert np.allclose(poses[:, :3, 3], [0.3, -0.2, 9.0], atol=1e-2)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("speed", [0.2, 1.0, 3.0])
def test_speed_is_the_known_rotation(axis, speed):
    turns = np.stack([turn(axis, speed * frame - 15) for frame in range(20)])
    got = head_speed(head_poses(project(turns), SIZE))
    assert got == pytest.approx(np.full(20, speed), rel=0.02)


def test_speed_counts_angles_not_wraps():
    turns = np.stack([turn("z", 20.0 * frame) for frame in range(40)])
    assert head_speed(head_poses(project(turns), SIZE)) == pytest.approx(np.full(40, 20.0), rel=0.02)


def test_still_head_has_no_speed():
    assert head_speed(head_poses(project(np.tile(np.eye(3), (10, 1, 1))), SIZE)).max() < 1e-6
    assert head_speed(np.eye(4)[None]).tolist() == [0]


def test_jitter_is_smoothed_before_its_length_is_taken():
    turns = np.stack([turn("y", 0.5 * frame) for frame in range(60)])
    jittery = head_poses(project(turns, noise=0.3), SIZE)
    smooth, raw = head_speed(jittery).mean(), head_speed(jittery, smooth=0).mean()
    assert smooth == pytest.approx(0.5, rel=0.15)
    assert raw > smooth


def test_a_real_clip_moves_a_little():
    clip = DATA / "grid_s1" / "bbaf2n.mp4"
    if not clip.is_file():
        pytest.skip(f"no real data at {DATA}")
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    import av

    from emo_core.face.mediapipe_detector import BundledDetector

    detector = BundledDetector()
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][:25]
    landmarks = np.stack([detector.detect(frame)[0].landmarks for frame in frames])
    speed = head_speed(head_poses(landmarks, (256, 256)))
    assert 0.01 < speed.mean() < 1.0
