"""MediaPipe's two detectors on real faces, and the choice of a detector."""

import sys

import numpy as np
import pytest
from PIL import Image

from emo_core.errors import InputError
from emo_core.face import detectors
from emo_core.face.built_in_detector import BuiltInDetector
from emo_core.face.detectors import make_detector
from emo_core.face.mediapipe_detector import BundledDetector, TasksDetector
from emo_core.face.selection import RegionRequest, find_face
from emo_core.media.picture import load_picture
from tests.conftest import DATA

BUNDLE = DATA.parent / "models" / "face_landmarker.task"
pytest.importorskip("mediapipe")


@pytest.fixture(scope="module", params=["tasks", "bundled"])
def detector(request):
    if request.param == "tasks":
        if not BUNDLE.is_file():
            pytest.skip(f"no {BUNDLE.name} beside the real data")
        return TasksDetector(BUNDLE)
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    return BundledDetector()


@pytest.fixture(scope="module")
def astronaut():
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}")
    return load_picture(DATA / "portraits" / "astronaut.png")


def side_by_side(image: np.ndarray, count: int) -> np.ndarray:
    face = image[0:280, 120:340]
    return np.concatenate([face] * count, axis=1)


def test_one_face_is_detected_with_landmarks(detector, astronaut):
    faces = detector.detect(astronaut)
    assert len(faces) == 1
    assert faces[0].landmarks.shape == (478, 3)
    x, y = faces[0].box.centre
    assert 190 < x < 260 and 80 < y < 160


def test_large_pictures_come_back_in_their_own_pixels(detector, astronaut):
    large = np.asarray(Image.fromarray(astronaut).resize((8000, 8000)))
    face = find_face(large, RegionRequest(), detector).box
    small = find_face(astronaut, RegionRequest(), detector).box
    assert face.centre[0] == pytest.approx(small.centre[0] * 8000 / 512, rel=0.03)
    assert face.height == pytest.approx(small.height * 8000 / 512, rel=0.05)


def test_tight_portraits_are_searched_with_a_border(detector, astronaut):
    assert len(detector.detect(np.ascontiguousarray(astronaut[60:180, 170:280]))) == 1


def test_a_picture_without_a_face_is_refused(detector):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="no face found in the 200 x 200 picture"):
        find_face(noise, RegionRequest(), detector)


def test_one_of_three_faces_is_chosen_by_its_number(detector, astronaut):
    three = side_by_side(astronaut, 3)
    with pytest.raises(InputError, match=r"3 faces found.*choose one by its number"):
        find_face(three, RegionRequest(), detector)
    boxes = [find_face(three, RegionRequest(face_index=i), detector).box for i in range(3)]
    assert sorted(int(box.centre[0] // 220) for box in boxes) == [0, 1, 2]
    with pytest.raises(InputError, match="face index: got 3; the portrait has 3"):
        find_face(three, RegionRequest(face_index=3), detector)


def test_mediapipe_is_preferred(monkeypatch, tmp_path):
    monkeypatch.delenv(detectors.BUNDLE_VARIABLE, raising=False)
    monkeypatch.setattr(detectors, "BUNDLE", tmp_path / "none.task")
    if sys.version_info < (3, 13):
        assert isinstance(make_detector().detector, BundledDetector)
    with pytest.raises(InputError, match="no file at"):
        make_detector(tmp_path / "missing.task")
    if BUNDLE.is_file():
        monkeypatch.setenv(detectors.BUNDLE_VARIABLE, str(BUNDLE))
        assert isinstance(make_detector().detector, TasksDetector)


def test_without_mediapipe_the_built_in_detector_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(detectors.importlib.util, "find_spec", lambda name: None)
    assert isinstance(make_detector(), BuiltInDetector)
    for arguments in ({"bundle": tmp_path / "face_landmarker.task"}, {"landmarks": True}):
        with pytest.raises(InputError, match=r"mediapipe is not installed.*requirements-face.txt.*no landmarks"):
            make_detector(**arguments)


def test_mediapipe_without_models_gives_way_to_the_built_in_detector(monkeypatch, tmp_path):
    monkeypatch.delenv(detectors.BUNDLE_VARIABLE, raising=False)
    monkeypatch.setattr(detectors, "BUNDLE", tmp_path / "none.task")
    monkeypatch.setattr(detectors.importlib.util, "find_spec", lambda name: None if "." in name else object())
    assert isinstance(make_detector(), BuiltInDetector)
    with pytest.raises(InputError, match=r"brings no models; put a face_landmarker.task at"):
        make_detector(landmarks=True)


def test_blendshapes_come_on_request(astronaut):
    if not BUNDLE.is_file():
        pytest.skip("needs a face_landmarker.task")
    with_shapes = make_detector(BUNDLE, landmarks=True, blendshapes=True).detect(astronaut)[0]
    plain = make_detector(BUNDLE, landmarks=True).detect(astronaut)[0]
    assert with_shapes.blendshapes.shape == (52,)
    assert with_shapes.blendshapes[44:46].mean() > 0.5  # mouthSmile: she smiles.
    assert plain.blendshapes is None
    assert np.allclose(plain.landmarks, with_shapes.landmarks, atol=0.5)
