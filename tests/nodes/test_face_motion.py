"""The face motion nodes: from film, adjusted, drawn, saved, loaded, and worn by a portrait."""

import dataclasses
import importlib.util
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from emo_core.face.detectors import make_detector
from tests.conftest import ROOT
from tests.nodes.conftest import Graph, audio, module
from tests.nodes.test_nodes import problem

FILM = ROOT / "assets" / "performance.mp4"
needs_points = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="mediapipe finds the points of a face"
)


def picture(name="woman.jpg", size=None):
    """IMAGE as Load Image gives it."""
    image = Image.open(ROOT / "assets" / name).convert("RGB")
    return torch.from_numpy(np.asarray(image.resize(size) if size else image, np.float32) / 255)[None]


def waves(frames=6, fps=25.0):
    """A motion in which everything moves."""
    core = module(".emo_core.face.motion")
    place = np.linspace(0, 1, frames, dtype=np.float32)
    motion = core.FaceMotion.still(frames, fps)
    curves = dict.fromkeys(("jawOpen", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookUpLeft"), place * 0.6)
    turn = np.stack([place * 3, place * 6, place], axis=1)
    return dataclasses.replace(motion.with_curves(curves), rotation=turn, translation=turn / 100)


def video(path=FILM):
    return module("comfy_api.latest").InputImpl.VideoFromFile(str(path))


def film_frames(count=None):
    with av.open(str(FILM)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][:count]
    return torch.from_numpy(np.stack(frames).astype(np.float32) / 255)


def watch(nodes, **given):
    settings = {"fps": 25.0, "face_index": 0, "start": 0.0, "duration": 0.0}
    return nodes.FaceMotionFromVideo.execute(**(settings | given)).args


def animate(portrait, motion, **given):
    settings = {"face_index": 0, "size": 128, "paste_back": False, "return_frames": True}
    inputs = {"portrait": portrait, "motion": motion, **(settings | given)}
    return Graph({"node": {"class_type": "AnimatePortrait", "inputs": inputs}}).execute("node", inputs)


def wired(pictures):
    """FACE_LANDMARKS as the host's Detect Face Landmarks gives them for pictures (B, H, W, 3)."""
    detector, frames = make_detector(landmarks=True), []
    for shown in (pictures.numpy() * 255).round().astype(np.uint8):
        meshes = [face.landmarks for face in detector.detect(shown)]
        frames.append([{"landmarks_xy": mesh[:, :2], "landmarks_3d": mesh * 0.7 + 30} for mesh in meshes])
    return {"frames": frames, "image_size": tuple(pictures.shape[1:3])}


@pytest.fixture(scope="session")
def film_landmarks():
    """Of the first 20 frames."""
    return wired(film_frames(20))


@pytest.fixture(scope="session")
def portrait_landmarks():
    return wired(picture())


@pytest.fixture
def no_detector(monkeypatch):
    """A host without MediaPipe."""
    monkeypatch.setattr(module(".emo_core.face.detectors").importlib.util, "find_spec", lambda name: None)


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


@needs_points
def test_a_portrait_wears_a_motion(nodes):
    """Video with sound, frames, progress with pictures; the portrait moves, its surroundings stand."""
    shown = []
    module("comfy.utils").set_progress_bar_global_hook(
        lambda value, total, preview, **_: shown.append((value, total, preview))
    )
    film, frames = animate(picture(), waves(), audio=audio())
    assert frames.shape == (6, 128, 128, 3)
    assert float((frames[0] - frames[5]).abs().max()) > 0.2
    assert float((frames[0] - frames[5])[:4, :4].abs().max()) < 0.05
    with av.open(film.get_stream_source()) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.width) == (6, Fraction(25), 128)
        assert float(container.streams.audio[0].duration * container.streams.audio[0].time_base) < 0.4
        assert '"ai_generated": true' in container.metadata["comment"]
    assert [value for value, _, _ in shown] == [1, 2, 3, 4, 5, 6]
    assert shown[0][2][1].size == (128, 128)


@needs_points
def test_the_square_is_pasted_into_the_whole_picture(nodes):
    """Also with an odd side and an alpha channel; of a batch the first picture is used, as of an animated GIF."""
    whole = torch.zeros(2, 601, 700, 4)
    whole[0, 50:562, 100:612, :3] = picture()[0]
    whole[0, :, :, 3] = 1
    film, frames = animate(whole, waves(), paste_back=True)
    assert frames.shape == (6, 601, 700, 3)
    assert torch.equal(frames[5, :6], whole[0, :6, :, :3])
    assert float((frames[5] - whole[0, ..., :3]).abs().max()) > 0.2
    with av.open(film.get_stream_source()) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (700, 602)
        assert not container.streams.audio


@needs_points
def test_the_hosts_landmarks_take_the_place_of_a_detector(nodes, portrait_landmarks, no_detector):
    portrait, landmarks = picture(), portrait_landmarks
    _, frames = animate(portrait, waves(3), face_landmarks=landmarks)
    assert frames.shape == (3, 128, 128, 3)
    lying = torch.rot90(portrait, 1, (1, 2))
    turned = [
        {key: np.column_stack([m[:, 1], 512 - m[:, 0], m[:, 2:]]) for key, m in face.items()}
        for face in landmarks["frames"][0]
    ]
    _, upright = animate(lying, waves(3), face_landmarks={**landmarks, "frames": [turned]})
    assert float((upright - frames).abs().mean()) < 0.01
    flat = [[{"landmarks_xy": face["landmarks_xy"]} for face in row] for row in landmarks["frames"]]
    problem(lambda: animate(portrait, waves(3), face_landmarks={**landmarks, "frames": flat}), "without depth")
    problem(lambda: animate(portrait, waves(3), face_landmarks=landmarks, face_index=1), "face index: got 1")


def test_without_points_the_ways_out_are_named(nodes, no_detector):
    """Installing MediaPipe into the host is none of them: its wheel takes the host's numpy from 2 to 1."""
    for call in (
        lambda: animate(picture(), waves()),
        lambda: watch(nodes, images=torch.rand(4, 64, 64, 3)),
    ):
        with pytest.raises(
            Exception, match=r"478 points.*Detect Face Landmarks.*animate --model portrait.*workflow talk"
        ) as caught:
            call()
        assert "pip install" not in str(caught.value)


@needs_points
def test_cancel_stops_at_a_frame_and_leaves_no_file(nodes):
    management, folder = module("comfy.model_management"), module(".nodes.host.folders").temporary_folder()
    before = set(folder.glob("*"))
    module("comfy.utils").set_progress_bar_global_hook(
        lambda value, *_, **__: management.interrupt_current_processing() if value == 2 else None
    )
    with pytest.raises(management.InterruptProcessingException):
        animate(picture(), waves(20))
    assert set(folder.glob("*")) <= before


@needs_points
def test_frames_that_do_not_fit_are_refused_before_the_first(nodes, free_memory):
    free_memory(6 * 128 * 128 * 12 - 1)
    problem(lambda: animate(picture(), waves()), "memory: 6 frames of 128 x 128 .*; turn return_frames off, or give")
    blocked = animate(picture(), waves(), return_frames=False)[1]
    assert "turn on return_frames of Animate Portrait" in blocked.message


@needs_points
@pytest.mark.parametrize(
    ("portrait", "settings", "message"),
    [
        (torch.full((1, 200, 300, 3), 0.5), {}, "no face found in the 300 x 200 picture"),
        (torch.rand(1, 40, 40, 3), {}, "40 x 40 pixels; give one of at least 64 x 64"),
        (picture(), {"face_index": 3}, "face index: got 3; the portrait has 1"),
        (picture(), {"size": 64}, "size: got 64; expected 128 .. 1024"),
        (picture(size=(70, 70)), {}, "the face is .* pixels high"),
    ],
)
def test_portraits_that_cannot_move_are_refused(nodes, portrait, settings, message):
    problem(lambda: animate(portrait, waves(), **settings), message)
