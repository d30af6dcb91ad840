"""Labels as named columns: written, read, sliced; the stored square and its border around the face."""

import io

import numpy as np
import pytest

from emo_core.dataset.labels import Labels, face_margin, label, square_around
from emo_core.face.crop import Crop
from emo_core.face.framing import Framing
from tests.face.test_pose import project
from tests.synthetic import draw_clip

LABELS = draw_clip("clip", frames=8).labels
COLUMNS = ("boxes", "mouths", "poses", "speed", "opening")


def write(**columns):
    buffer = io.BytesIO()
    np.savez(buffer, **{name: getattr(LABELS, name).astype(np.float32) for name in COLUMNS}, **columns)
    return buffer.getvalue()


def test_a_dataset_without_landmarks_is_read():
    labels = Labels.from_bytes(write())
    assert labels.landmarks is None and labels.blendshapes is None and labels.others == {}
    assert np.allclose(labels.boxes, LABELS.boxes) and len(labels) == 8


def test_columns_of_other_names_survive_reading_and_writing():
    emotion, person = np.arange(24, dtype=np.int16).reshape(8, 3), np.array(7, np.int64)
    labels = Labels.from_bytes(Labels.from_bytes(write(emotion=emotion, person=person)).to_bytes())
    assert np.array_equal(labels.others["emotion"], emotion) and labels.others["emotion"].dtype == np.int16
    assert labels.others["person"] == 7


def test_a_slice_cuts_every_column():
    landmarks = np.random.default_rng(0).random((8, 478, 3)).astype(np.float16)
    content = write(landmarks=landmarks, emotion=np.arange(8), person=np.array(7))
    part = Labels.from_bytes(content)[2:5]
    assert len(part) == 3
    assert np.allclose(part.boxes, LABELS.boxes[2:5]) and np.array_equal(part.landmarks, landmarks[2:5])
    assert part.blendshapes is None
    assert part.others["emotion"].tolist() == [2, 3, 4] and part.others["person"] == 7


def test_a_missing_column_is_named():
    buffer = io.BytesIO()
    np.savez(buffer, boxes=np.zeros((1, 4)))
    with pytest.raises(KeyError, match="mouths"):
        Labels.from_bytes(buffer.getvalue())


def test_landmarks_and_blendshapes_are_stored_as_half_floats():
    """Landmarks are shares of the square's side, also in depth."""
    mesh = np.pad(project(np.tile(np.eye(3), (4, 1, 1))), ((0, 0), (0, 0), (0, 1)), constant_values=64.0)
    labels = label(mesh, (640, 480), Crop(160, 80, 320, 256), np.full((4, 52), 0.25))
    labels = Labels.from_bytes(labels.to_bytes())
    assert labels.landmarks.dtype == labels.blendshapes.dtype == np.float16
    assert labels.landmarks.shape == (4, 478, 3) and labels.blendshapes.shape == (4, 52)
    assert np.allclose(labels.landmarks, (mesh - [160, 80, 0]) / 320, atol=5e-4)
    assert np.allclose(labels.landmarks[..., 2], 0.2, atol=1e-3) and (labels.blendshapes == 0.25).all()


def test_the_square_is_expanded_and_stays_inside_the_picture():
    boxes = np.array([[100.0, 100.0, 200.0, 220.0], [120.0, 90.0, 220.0, 210.0]])
    assert square_around(boxes, (640, 480), 1.8, 256) == Crop(43, 38, 234, 256)
    assert square_around(boxes, (640, 480), 5, 256) == Crop(0, 0, 480, 256)


def test_a_models_framing_places_the_mean_face():
    """As `frame_face` does with a portrait, but inside the picture."""
    boxes = np.array([[400.0, 300.0, 500.0, 420.0], [420.0, 300.0, 520.0, 420.0]])
    framing = Framing(share=0.4, centre=(0.5, 0.6))
    crop = square_around(boxes, (1280, 720), 1.8, 256, framing)
    assert (crop.left, crop.top, crop.side) == (460 - 150, 360 - 180, 300)
    assert square_around(boxes, (1280, 250), 1.8, 256, framing).side == 250


def test_margin_of_a_face_in_a_narrow_picture():
    """720 x 1280 pixels: the largest square is 720 high. The forehead rises above the box by 8 % of its height."""
    frame = (720, 1280)
    for top, bottom, margin in ((300, 800, 70 / 720), (200, 900, -46 / 720), (150, 950, -104 / 720)):
        boxes = np.array([[100.0, top, 620.0, bottom]])
        crop = square_around(boxes, frame, 1.8, 256)
        assert (crop.left, crop.side) == (0, 720)
        assert face_margin(boxes, frame, crop) == pytest.approx(margin)


def test_edges_of_the_picture_do_not_count_for_the_margin():
    boxes = np.array([[100.0, 200.0, 620.0, 730.0]])
    assert face_margin(boxes, (720, 720), square_around(boxes, (720, 720), 1.8, 256)) == float("inf")
    wide = square_around(boxes, (1280, 720), 1.8, 256)
    assert wide == Crop(0, 0, 720, 256)
    assert face_margin(boxes, (1280, 720), wide) == pytest.approx(100 / 720)
