"""The face rig: what each movement moves, and films that go through it."""

import numpy as np
import pytest

from emo_core.errors import CheckpointError, InputError
from emo_core.face.alignment import align
from emo_core.face.coefficients import NAMES, mirrored
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_fit import fit_motion
from emo_core.face.rig import FACE_RIG, load_rig
from emo_core.face.rig_fit import estimate_neutral, fit_coefficients, person_sizes, split_still
from emo_core.face.rotation import rotation_matrices
from tests.conftest import DATA


@pytest.fixture(scope="module")
def rig():
    return load_rig()


def moved(rig, **curves):
    motion = FaceMotion.still(1, 25).with_curves({name: np.array([value]) for name, value in curves.items()})
    return rig.points(motion)[0] - rig.mean


def test_it_is_small_and_alike_on_both_sides(rig):
    assert FACE_RIG.stat().st_size < 1e6
    other = [NAMES.index(mirrored(name)) for name in NAMES]
    assert np.allclose(rig.basis, rig.basis[other][:, rig.mirror] * [-1, 1, 1], atol=1e-5)
    assert np.allclose(rig.mean, rig.mean[rig.mirror] * [-1, 1, 1], atol=1e-5)


def test_movements_move_what_they_name(rig):
    lips, brows, right_lid = [13, 14, 61, 291], [105, 334], [159]
    for name in NAMES:
        sizes = np.linalg.norm(rig.basis[NAMES.index(name)], axis=-1)
        if name.startswith(("mouth", "jaw")):
            assert sizes[brows].max() < 0.01, name
        if name.startswith(("brow", "eyeBlink", "eyeLook")):
            assert sizes[lips].max() < 0.01, name
        if name.startswith("eye") and name.endswith("Left"):
            assert sizes[right_lid].max() < 0.01, name
    assert moved(rig, jawOpen=1)[14, 1] < -0.2 and abs(moved(rig, jawOpen=1)[13, 1]) < 0.08
    assert moved(rig, mouthSmileLeft=1)[291, 1] > 0.05 > abs(moved(rig, mouthSmileLeft=1)[61, 1])
    assert moved(rig, mouthFrownLeft=1)[291, 1] < -0.04
    assert moved(rig, browInnerUp=1)[107, 1] > 0.04
    assert moved(rig, eyeLookOutLeft=1)[473, 0] > 0.03
    pucker = moved(rig, mouthPucker=1)
    assert pucker[291, 0] < -0.05 and pucker[61, 0] > 0.05


def test_mouth_close_closes_an_open_jaw(rig):
    points = rig.mean + moved(rig, jawOpen=0.6, mouthClose=0.6)
    neutral = rig.mean[13, 1] - rig.mean[14, 1]
    assert abs(points[13, 1] - points[14, 1] - neutral) < 0.01


def test_blinks_close_the_eye(rig):
    points = rig.mean + moved(rig, eyeBlinkRight=1)
    opening = (points[159, 1] - points[145, 1]) / (rig.mean[159, 1] - rig.mean[145, 1])
    assert opening < 0.15


def test_coefficients_are_found_again(rig):
    rng = np.random.default_rng(0)
    values = np.zeros((40, 51))
    names = ("jawOpen", "mouthSmileLeft", "mouthFunnel", "eyeBlinkLeft", "browInnerUp", "eyeLookUpRight")
    for name in names:
        values[:, NAMES.index(name)] = rng.uniform(0, 0.8, 40)
    found = fit_coefficients(np.einsum("fk,kpi->fpi", values, rig.basis), rig.basis)
    assert found.min() >= 0 and found.max() <= 1
    for name in names:
        assert np.corrcoef(found[:, NAMES.index(name)], values[:, NAMES.index(name)])[0, 1] > 0.97, name


def test_pose_and_size_of_the_picture_do_not_matter(rig):
    turn = rotation_matrices(np.array([[8.0, -12.0, 5.0]]))
    points = (rig.mean + moved(rig, jawOpen=0.5))[None]
    pictures = (points @ turn.transpose(0, 2, 1) * 90 + [200, -150, 30]) * [1, -1, -1]
    aligned = align(pictures)
    assert np.allclose(aligned.points, align(points * [1, -1, -1]).points, atol=1e-6)
    assert np.allclose(aligned.place(aligned.points), pictures, atol=1e-6)


def test_a_smile_is_told_from_the_person(rig):
    person = rig.mean + np.einsum("p,pni->ni", np.random.default_rng(1).normal(size=len(rig.people)) * 0.7, rig.people)
    smile = moved(rig, mouthSmileLeft=0.8, mouthSmileRight=0.8, jawOpen=0.1)
    _, found = split_still(person + smile, rig)
    assert found[NAMES.index("mouthSmileLeft")] > 0.3
    neutral, found = split_still(person, rig)
    assert found[NAMES.index("mouthSmileLeft")] < 0.15 and np.abs(neutral - person).max() < 0.05


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the films of the shared folder")
@pytest.mark.parametrize("film", ["talk/grid/s31_lbwo3s.mp4", "talk/grid_strangers/s30_bbac3n.mp4"])
def test_held_out_films_keep_their_mouths(rig, film):
    pytest.importorskip("mediapipe")
    from emo_core.face.detectors import make_detector
    from emo_core.face.film import watch_film

    seen = watch_film(DATA / film, make_detector(landmarks=True, quiet=True))
    points = align(seen.landmarks).points
    neutral = estimate_neutral(points)
    motion = fit_motion(seen.landmarks, rig, size=seen.size, fps=seen.fps)
    made = neutral + rig.offsets(motion) * person_sizes(neutral, rig)
    true, ours = (np.linalg.norm(part[:, 13, :2] - part[:, 14, :2], axis=-1) for part in (points, made))
    assert np.corrcoef(true, ours)[0, 1] >= 0.98
    assert 0.93 <= np.polyfit(true, ours, 1)[0] <= 1.05
    closed = true < np.quantile(true, 0.05) + 0.02
    assert (ours[closed] < np.quantile(ours, 0.05) + 0.035).mean() >= 0.97


def test_films_without_a_face_are_refused(rig):
    landmarks = np.full((20, 478, 3), np.nan)
    with pytest.raises(InputError, match="found in 0 of 20 frames"):
        fit_motion(landmarks, rig, size=(64, 64), fps=25)


def test_a_damaged_rig_is_refused(tmp_path):
    path = tmp_path / "rig.safetensors"
    path.write_bytes(FACE_RIG.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="download or copy the file again"):
        load_rig(path)
