"""The built-in face detector with the weights that come with the pack, against MediaPipe."""

import json
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from emo_core.errors import CheckpointError, InputError
from emo_core.face.box import Box
from emo_core.face.built_in_detector import (
    FORMAT,
    WEIGHTS,
    BuiltInDetector,
    FaceDetectorConfig,
    FaceDetectorNet,
    detector_metadata,
    load_face_detector,
)
from emo_core.face.detector_view import GREY, View
from emo_core.media.picture import load_picture

UNSEEN = ("s26_bgbsza", "s26_srizza", "grid_swiz3n", "s34_lbwh5n", "grid_122715_edff7a1c", "grid_lbax4n")
"""Clips of the GRID speakers that the shipped weights never saw."""


@pytest.fixture(scope="module")
def detector():
    return BuiltInDetector()


@pytest.fixture(scope="module")
def mediapipe():
    pytest.importorskip("mediapipe.python.solutions", reason="no mediapipe that brings its models")
    from emo_core.face.mediapipe_detector import BundledDetector

    return BundledDetector()


def frames_of(path, every=25):
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 0, None, every)]


@pytest.fixture(scope="module")
def speaker():
    from tests.conftest import DATA

    path = DATA / "talk" / "grid" / "s34_lbwh5n.mp4"
    if not path.is_file():
        pytest.skip(f"no real data at {DATA}")
    return frames_of(path)[1]


@pytest.mark.parametrize("name", UNSEEN)
def test_unseen_speakers_are_detected(detector, mediapipe, data, name):
    frames = frames_of(data / "talk" / "grid" / f"{name}.mp4")
    assert len(frames) >= 3
    for frame in frames:
        faces = detector.detect(frame)
        assert len(faces) == 1 and faces[0].landmarks is None
        assert faces[0].box.overlap(mediapipe.detect(frame)[0].box) >= 0.75


def test_most_portraits_agree_with_mediapipe(detector, mediapipe, data):
    overlaps = {}
    for path in sorted((data / "portraits").iterdir()):
        image = load_picture(path)
        faces = detector.detect(image)
        overlaps[path.name] = faces[0].box.overlap(mediapipe.detect(image)[0].box) if faces else 0.0
    assert len(overlaps) == 12
    assert sum(overlap >= 0.75 for overlap in overlaps.values()) >= 9, overlaps


def test_two_faces_give_two_boxes_the_larger_first(detector, speaker):
    smaller = np.full_like(speaker, 90)
    smaller[72:216, 90:270] = np.asarray(Image.fromarray(speaker).resize((180, 144)))
    faces = detector.detect(np.concatenate([smaller, speaker], axis=1))
    assert len(faces) == 2
    width = speaker.shape[1]
    assert faces[0].box.centre[0] > width > faces[1].box.centre[0]
    assert faces[0].box.height == pytest.approx(2 * faces[1].box.height, rel=0.15)


@pytest.mark.parametrize("side", [64, 250])
def test_noise_and_flat_pictures_have_no_face(detector, side):
    rng = np.random.default_rng(0)
    for value in (0, GREY, 255):
        assert detector.detect(np.full((side, side, 3), value, np.uint8)) == []
    for picture in (rng.integers(0, 255, (side, side, 3)), rng.integers(0, 255, (side, 1, 3)).repeat(side, 1)):
        assert detector.detect(picture.astype(np.uint8)) == []


def test_large_pictures_come_back_in_their_own_pixels(detector, speaker):
    small = detector.detect(speaker)[0].box
    large = detector.detect(np.asarray(Image.fromarray(speaker).resize((speaker.shape[1] * 10, speaker.shape[0] * 10))))
    assert len(large) == 1
    ten = Box(small.left * 10, small.top * 10, small.right * 10, small.bottom * 10)
    assert large[0].box.overlap(ten) > 0.9


def test_flipped_grey_and_padded_pictures_give_the_same_face(detector, speaker):
    box, width = detector.detect(speaker)[0].box, speaker.shape[1]
    flipped = detector.detect(speaker[:, ::-1])[0].box
    assert box.overlap(Box(width - flipped.right, flipped.top, width - flipped.left, flipped.bottom)) > 0.85
    grey = detector.detect(speaker.mean(-1, keepdims=True).astype(np.uint8).repeat(3, -1))[0].box
    assert box.overlap(grey) > 0.85
    padded = detector.detect(np.pad(speaker, ((0, 0), (200, 0), (0, 0)), constant_values=GREY))[0].box
    assert box.overlap(Box(padded.left - 200, padded.top, padded.right - 200, padded.bottom)) > 0.85


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 70)])
def test_pictures_of_any_shape_are_accepted(detector, shape):
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


@pytest.mark.parametrize(("left", "top", "side"), [(0, 0, 100), (-20, 10, 80), (30.5, -7.5, 41), (80, 50, 50)])
def test_boxes_of_a_view_map_back_to_the_picture(left, top, side):
    image = np.full((80, 110, 3), 40, np.uint8)
    image[30:60, 40:90] = 220
    view = View(left, top, side, 128)
    square = view.cut(image)
    assert square.shape == (128, 128, 3)
    rows, columns = np.nonzero((square > 150).all(-1).any(1))[0], np.nonzero((square > 150).all(-1).any(0))[0]
    seen = view.outside(Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    wanted = Box(max(40, left), max(30, top), min(90, left + side), min(60, top + side))
    slack = 1.5 * max(1, side / 128)
    for got, edge in zip((seen.left, seen.top, seen.right, seen.bottom), (wanted.left, wanted.top, wanted.right, wanted.bottom)):  # fmt: skip  # noqa: B905
        assert got == pytest.approx(edge, abs=slack)


def test_the_output_is_a_grid_of_boxes_around_its_cells():
    net = FaceDetectorNet(FaceDetectorConfig()).eval()
    with torch.no_grad():
        logits, boxes = net(torch.zeros(2, 3, 64, 96))
    assert logits.shape == (2, 8, 12) and boxes.shape == (2, 8, 12, 4)
    assert (boxes[..., 0] < 12 * 8).all() and (boxes[..., 2] > boxes[..., 0]).all()
    assert (boxes[..., 3] > boxes[..., 1]).all()


def test_shipped_weights_are_small():
    assert WEIGHTS.stat().st_size < 2_000_000


def test_missing_and_broken_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"face detector: no file at .*gone.safetensors"):
        BuiltInDetector(tmp_path / "gone.safetensors")
    text, other, torn = (tmp_path / f"{name}.safetensors" for name in ("text", "other", "torn"))
    text.write_text("words")
    save_file({"a": torch.zeros(1)}, other, {"format": "something"})
    weights = load_file(WEIGHTS)
    weights.pop(next(iter(weights)))
    save_file(weights, torn, detector_metadata(FaceDetectorConfig()))
    for path, reason in ((text, "cannot be used"), (other, "not 'emo-face-finder-1'"), (torn, "Missing key")):
        with pytest.raises(CheckpointError, match=reason):
            load_face_detector(path)


def test_the_config_is_stored_in_the_weights_file(tmp_path):
    config = FaceDetectorConfig(size=64, widths=(4, 4, 8, 8))
    save_file(FaceDetectorNet(config).state_dict(), tmp_path / "small.safetensors", detector_metadata(config))
    assert load_face_detector(tmp_path / "small.safetensors").config == config
    assert json.loads(detector_metadata(config)["config"])["size"] == 64 and FORMAT
