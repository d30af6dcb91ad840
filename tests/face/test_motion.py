"""Face motion: ranges, frame rates, files, amounts."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from emo_core.curve import Curve
from emo_core.errors import InputError
from emo_core.face.coefficients import NAMES, mirrored
from emo_core.face.motion import FaceMotion, concatenated
from emo_core.face.motion_adjust import Adjustment, adjusted
from emo_core.face.motion_file import load_motion, save_motion


def random_motion(frames=50, fps=25.0, seed=0):
    rng = np.random.default_rng(seed)
    walks = rng.normal(size=(frames, 57)).cumsum(0).astype(np.float32) / 20
    return FaceMotion(
        coefficients=np.abs(walks[:, :51]).clip(0, 1), rotation=walks[:, 51:54], translation=walks[:, 54:], fps=fps
    )


def same(a, b):
    parts = ("coefficients", "rotation", "translation", "fps", "names")
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in parts)


def test_names_are_arkit_s_and_mirror_each_other():
    assert len(NAMES) == len(set(NAMES)) == 51 and "tongueOut" not in NAMES
    assert all(mirrored(mirrored(name)) == name and mirrored(name) in NAMES for name in NAMES)


def test_parts_join_to_the_whole():
    motion = random_motion()
    assert same(concatenated([motion[:20], motion[20:]]), motion)


def test_joining_goes_by_name():
    motion = random_motion(4)
    turned = FaceMotion(
        coefficients=motion.coefficients[:, ::-1], rotation=motion.rotation, translation=motion.translation, fps=25,
        names=NAMES[::-1],
    )  # fmt: skip
    assert np.array_equal(concatenated([motion, turned]).coefficients, np.tile(motion.coefficients, (2, 1)))


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_another_frame_rate_keeps_length_and_movement(fps):
    motion = random_motion(100)
    other = motion.resampled(fps)
    assert other.fps == fps and len(other) == round(4 * fps)
    times = (np.arange(len(other)) + 0.5) / fps * 25 - 0.5
    expected = np.interp(times, np.arange(100), motion.curve("jawOpen"))
    assert np.allclose(other.curve("jawOpen"), expected, atol=1e-6)


def test_gaze_is_what_was_asked():
    degrees = np.array([[12.0, -5.0], [-8.0, 3.0]])
    assert np.allclose(FaceMotion.still(2, 25).with_gaze(degrees).gaze, degrees, atol=1e-4)


def test_a_file_gives_the_motion_back(tmp_path):
    motion = random_motion(fps=29.97)
    save_motion(motion, tmp_path / "m.safetensors")
    assert same(load_motion(tmp_path / "m.safetensors"), motion)


@pytest.mark.parametrize("damage", ["cut", "text", "other", "names", "nan"])
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "m.safetensors"
    save_motion(random_motion(), path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("no motion")
    else:
        arrays = load_file(path)
        about = {"format": "face-motion-1", "motion": '{"fps": 25, "names": ["jawOpen"]}'}
        if damage == "nan":
            arrays["rotation"][3] = np.nan
            about["motion"] = about["motion"].replace('["jawOpen"]', str(list(NAMES)).replace("'", '"'))
        save_file(arrays, path, {} if damage == "other" else about)
    with pytest.raises(InputError, match="face motion: "):
        load_motion(path)


def test_amounts_scale_what_they_name():
    motion = random_motion()
    changed = adjusted(motion, Adjustment(mouth=Curve.constant(0), head=Curve.parse("0:0,2:1", "head")))
    assert not changed.curve("jawOpen").any() and not changed.curve("mouthSmileLeft").any()
    assert np.array_equal(changed.curve("browInnerUp"), motion.curve("browInnerUp"))
    assert np.allclose(changed.rotation[25], motion.rotation[25] * 0.51, atol=1e-5)
    assert same(adjusted(motion, Adjustment()), motion)


def test_smoothing_keeps_blinks_closed():
    blinks = np.zeros(50, np.float32)
    blinks[20:23] = 1
    motion = random_motion().with_curves({"eyeBlinkLeft": blinks})
    changed = adjusted(motion, Adjustment(smoothing=0.1))
    assert np.array_equal(changed.curve("eyeBlinkLeft"), blinks)
    assert np.abs(np.diff(changed.curve("jawOpen"))).sum() < np.abs(np.diff(motion.curve("jawOpen"))).sum()


@pytest.mark.parametrize("wrong", [{"mouth": Curve.constant(9)}, {"head": Curve.constant(-1)}, {"smoothing": 5.0}])
def test_impossible_amounts_are_refused(wrong):
    with pytest.raises(InputError, match="expected 0"):
        Adjustment(**wrong)
