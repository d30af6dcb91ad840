"""The face motion nodes: from film, adjusted, drawn, saved and loaded."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from tests.nodes.conftest import audio, module
from tests.nodes.faces import FILM, film_frames, needs_points, video, watch, waves, wired
from tests.nodes.test_nodes import problem


@pytest.fixture(scope="session")
def film_landmarks():
    """Of the first 20 frames."""
    return wired(film_frames(20))


@needs_points
def test_a_film_gives_its_motion_and_its_sound(nodes):
    shares = []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, total, *_, **__: shares.append(value / total))
    motion, sound = watch(nodes, video=video())
    assert (len(motion), motion.fps) == (75, 25)
    assert motion.curve("jawOpen").max() > 0.15
    assert min(motion.curve(f"eyeBlink{side}").max() for side in ("Left", "Right")) > 0.6
    assert np.ptp(motion.rotation, axis=0).max() > 1
    assert sound["waveform"].shape[2] / sound["sample_rate"] == pytest.approx(3, abs=0.1)
    assert len(shares) == 75
    assert shares[-1] == 1


@needs_points
def test_an_excerpt_of_a_film_equals_the_same_frames_of_the_batch(nodes):
    """Also a film in memory, and frames with their sound."""
    by_file, sound = watch(nodes, video=video(), start=0.4, duration=0.8)
    assert len(by_file) == 20
    assert sound["waveform"].shape[2] / sound["sample_rate"] == pytest.approx(0.8, abs=0.02)
    frames = film_frames()
    by_images, none = watch(nodes, images=frames, start=0.4, duration=0.8)
    assert none is None
    in_memory, _ = watch(nodes, video=video_in_memory(), start=0.4, duration=0.8)
    assert np.array_equal(in_memory.coefficients, by_file.coefficients)
    assert np.abs(by_images.coefficients - by_file.coefficients).max() < 0.1
    types = module("comfy_api.latest")
    parts = types.Types.VideoComponents(images=frames[10:30], frame_rate=Fraction(25), audio=audio(2.0))
    by_parts, tone = watch(nodes, video=types.InputImpl.VideoFromComponents(parts))
    assert np.array_equal(by_parts.coefficients, by_images.coefficients)
    assert tone["waveform"].shape[2] == 0.8 * 16000


@needs_points
def test_a_trimmed_video_is_read_from_its_start(nodes):
    """Newer hosts hand on the whole file and the part of it."""

    class Trimmed(module("comfy_api.latest").InputImpl.VideoFromFile):
        def get_active_trim_window(self):
            return 0.4, 1.0

    part, sound = watch(nodes, video=Trimmed(str(FILM)), start=0.2)
    same, other = watch(nodes, video=video(), start=0.6, duration=0.8)
    assert np.array_equal(part.coefficients, same.coefficients)
    assert torch.equal(sound["waveform"], other["waveform"])
    whole = watch(nodes, video=video(), duration=1.4)[1]
    first = round(0.6 * whole["sample_rate"])
    assert torch.equal(other["waveform"], whole["waveform"][:, :, first:])


def video_in_memory():
    return module("comfy_api.latest").InputImpl.VideoFromFile(io.BytesIO(FILM.read_bytes()))


@needs_points
def test_the_hosts_landmarks_give_the_same_motion_without_a_detector(nodes, film_landmarks, no_detector):
    frames, landmarks = film_frames(20), film_landmarks
    motion, _ = watch(nodes, images=frames, face_landmarks=landmarks)
    assert len(motion) == 20
    assert motion.curve("jawOpen").max() > 0.05
    part, _ = watch(nodes, images=frames, face_landmarks=landmarks, start=0.2)
    assert len(part) == 15
    problem(
        lambda: watch(nodes, images=frames, face_landmarks={**landmarks, "frames": landmarks["frames"][:9]}),
        "landmarks of 9 pictures, and the film has more",
    )
    problem(
        lambda: watch(nodes, images=frames[:15], face_landmarks=landmarks),
        "landmarks of 20 pictures, and the film has fewer",
    )
    problem(
        lambda: watch(nodes, images=frames[:, :200], face_landmarks=landmarks),
        "landmarks of a picture of 256 x 256 for a film of 256 x 200",
    )
    flat = [[{"landmarks_xy": face["landmarks_xy"]} for face in row] for row in landmarks["frames"]]
    problem(lambda: watch(nodes, images=frames, face_landmarks={**landmarks, "frames": flat}), "without depth")


def test_films_without_a_usable_face_are_refused(nodes, tmp_path):
    problem(lambda: watch(nodes), "film: nothing is wired; wire Load Video")
    problem(lambda: watch(nodes, images=torch.rand(4, 64, 64, 3), start=9.0), "start: got 9 s; the film ends before")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(FILM.read_bytes()[:500])
    problem(lambda: watch(nodes, video=video(broken)), "cannot be opened as a video")


@needs_points
def test_films_without_motion_or_face_are_refused(nodes):
    problem(lambda: watch(nodes, images=film_frames(1)), "face motion needs at least 3")
    problem(lambda: watch(nodes, images=torch.rand(5, 96, 96, 3)), "a face is found in 0 of 5 frames")


def test_amounts_scale_the_motion(nodes):
    motion = waves()
    adjust = nodes.AdjustFaceMotion.execute
    same = dict.fromkeys(("mouth", "head", "brows", "blinks", "gaze"), "1")
    assert np.array_equal(adjust(motion, 0.0, **same)[0].coefficients, motion.coefficients)
    quiet = adjust(motion, 0.0, **(same | {"mouth": "0", "head": "0:0, 1:0", "brows": "", "gaze": "0.5"}))[0]
    assert not quiet.curve("jawOpen").any()
    assert not quiet.rotation.any()
    assert np.array_equal(quiet.curve("browInnerUp"), motion.curve("browInnerUp"))
    assert np.allclose(quiet.curve("eyeLookUpLeft"), motion.curve("eyeLookUpLeft") / 2)
    assert np.ptp(adjust(motion, 0.2, **same)[0].rotation[:, 1]) < np.ptp(motion.rotation[:, 1])
    problem(lambda: adjust(motion, 0.0, **(same | {"head": "9"})), "head: got 9; expected 0 .. 3")
    problem(lambda: adjust(motion, 0.0, **(same | {"brows": "high"})), "brows: got 'high'")


@pytest.mark.parametrize("style", ["shaded", "mesh", "contours"])
def test_a_motion_is_drawn(nodes, style):
    frames, fps = nodes.PreviewFaceMotion.execute(waves(), 96, style).args
    assert frames.shape == (6, 96, 96, 3)
    assert fps == 25.0
    assert float((frames[0] - frames[5]).abs().max()) > 0.2
    assert 0.02 < float((frames[0] - frames[0, 0, 0]).abs().amax(-1).gt(0.1).float().mean()) < 0.8


def test_drawing_is_cancelled_and_refused_when_it_does_not_fit(nodes, free_memory):
    draw = nodes.PreviewFaceMotion.execute
    module("comfy.model_management").interrupt_current_processing()
    with pytest.raises(module("comfy.model_management").InterruptProcessingException):
        draw(waves(), 96, "mesh")
    problem(lambda: draw(waves(), 96, "paint"), "style: got 'paint'")
    problem(lambda: draw(waves(), 8, "mesh"), "size: got 8")
    assert "style: unknown name 'paint'" in nodes.PreviewFaceMotion.validate_inputs("paint")
    free_memory(1000)
    problem(lambda: draw(waves(), 96, "mesh"), "memory: 6 frames of 96 x 96")


@pytest.fixture
def host_output(tmp_path, monkeypatch):
    """The host's output folder, for a test."""
    monkeypatch.setattr(module("folder_paths"), "get_output_directory", lambda: str(tmp_path / "output"))
    return tmp_path / "output"


def test_a_saved_motion_is_loaded_from_the_menu_or_by_its_path(nodes, host_input, host_output):
    load, by_path = nodes.LoadFaceMotion, "by path"
    motion = waves()
    first, second = (Path(nodes.SaveFaceMotion.execute(motion, "face_motion/motion")[0]) for _ in range(2))
    assert [path.name for path in (first, second)] == ["motion_00001_.safetensors", "motion_00002_.safetensors"]
    (host_input / "mine.safetensors").write_bytes(first.read_bytes())
    (host_input / "other.safetensors").write_bytes((ROOT / "models" / "face-finder.safetensors").read_bytes())
    options = load.GET_NODE_INFO_V1()["input"]["required"]["file"][1]["options"]
    written = [f"face_motion/{path.name} [output]" for path in (first, second)]
    assert options == ["mine.safetensors", *written, by_path]
    given = [("mine.safetensors", ""), (written[0], ""), (by_path, str(second)), (by_path, f"face_motion/{first.name}")]
    for file, path in given:
        assert load.validate_inputs(file) is True
        loaded, fps, frames = load.execute(file, path).args
        assert np.array_equal(loaded.coefficients, motion.coefficients)
        assert np.array_equal(loaded.rotation, motion.rotation)
        assert (fps, frames) == (25.0, 6)
        assert load.fingerprint_inputs(file, path)[1] > 0


def test_files_that_are_no_motion_are_refused(nodes, host_input, host_output):
    load = nodes.LoadFaceMotion
    assert "file: unknown name 'gone.safetensors'" in load.validate_inputs("gone.safetensors")
    assert load.validate_inputs(None) is True
    assert load.fingerprint_inputs("by path", "gone.safetensors")[1] == 0
    problem(lambda: load.execute("by path", "gone.safetensors"), "face motion: no file at .*gone.safetensors")
    problem(lambda: load.execute("by path", ""), "face motion: (a folder|no file) at")
    problem(lambda: load.execute("by path", str(ROOT / "models" / "face-finder.safetensors")), "another kind of file")
    path = Path(nodes.SaveFaceMotion.execute(waves(), "cut")[0])
    path.write_bytes(path.read_bytes()[:-100])
    problem(lambda: load.execute("by path", str(path)), "cannot be read")
