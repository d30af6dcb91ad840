"""Face Locator Mask with the host's FACE_LANDMARKS in place of a detector."""

import numpy as np
import pytest
import torch

from tests.conftest import CONFIG
from tests.nodes.conftest import module
from tests.nodes.test_nodes import problem

HEIGHT, WIDTH = 300, 400


def mesh(left, top, right, bottom):
    """A face as the host's Detect Face Landmarks gives it, whose points fill a box."""
    points = np.random.default_rng(0).uniform((left, top), (right, bottom), (478, 2)).astype(np.float32)
    points[0], points[1] = (left, top), (right, bottom)
    middle = (top + bottom) / 2
    points[33], points[263] = (left + 10, middle), (right - 10, middle)  # The eyes.
    return {
        "landmarks_xy": points,
        "bbox_xyxy": np.array([left, top, right, bottom], np.float32),
        "blendshapes": {"jawOpen": 0.5},
        "landmarks_3d": np.zeros((478, 3), np.float32),
        "presence": 3.0,
        "score": 0.9,
    }


SMALL, LARGE = mesh(20, 40, 80, 120), mesh(200, 60, 320, 220)


def landmarks(*frames, size=(HEIGHT, WIDTH)):
    return {"frames": [list(frame) for frame in frames], "image_size": size, "connection_sets": {}}


def locate(nodes, model, wired, count=1, index=0, detector="auto", mask=None):
    pictures = torch.rand(count, HEIGHT, WIDTH, 3)
    return nodes.FaceLocatorMask.execute(
        model, pictures, 1.0, index, detector, "face", 1.0, 1.0, 1.0, mask=mask, face_landmarks=wired
    ).args


@pytest.mark.parametrize("detector", ["auto", "mediapipe", "built-in", "none"])
def test_the_wired_face_frames_the_crop_and_no_detector_is_used(nodes, model, monkeypatch, detector):
    monkeypatch.setattr(module(".nodes.emo.face_locator"), "_detector", lambda name: pytest.fail("a detector ran"))
    mask, pictures, crop, details = locate(nodes, model, landmarks([SMALL, LARGE]), detector=detector)
    assert crop.side == pytest.approx(160 / CONFIG.face_share, abs=1)
    assert crop.left < 200 < 320 < crop.left + crop.side
    assert pictures.shape == (1, CONFIG.image_size, CONFIG.image_size, 3)
    assert 0 < mask.mean() < 1
    assert details.maps.shape == (3, 64, 64)


def test_face_index_counts_by_size(nodes, model):
    for order in ([SMALL, LARGE], [LARGE, SMALL]):
        assert locate(nodes, model, landmarks(order), index=1)[2].side == pytest.approx(80 / CONFIG.face_share, abs=1)
    problem(lambda: locate(nodes, model, landmarks([LARGE]), index=1), "face index: got 1; the portrait has 1")
    problem(lambda: locate(nodes, model, landmarks([])), "no face found")


def test_a_batch_gets_the_union_of_one_face(nodes, model):
    """The second picture has no face; in the third it has moved to the right, and the other face is listed first."""
    moved = mesh(230, 60, 350, 220)
    _, pictures, crop, _ = locate(nodes, model, landmarks([LARGE, SMALL], [], [SMALL, moved]), count=3)
    assert len(pictures) == 3
    assert crop.side == pytest.approx(160 / CONFIG.face_share, abs=1)
    centre = crop.left + CONFIG.face_centre[0] * crop.side
    assert centre == pytest.approx((200 + 350) / 2, abs=1)


def test_a_face_on_its_side_is_turned_upright(nodes, model):
    """The mesh of a picture that lies on its side, counter-clockwise, gives the crop of the upright one."""
    upright = locate(nodes, model, landmarks([LARGE]))
    lying = {**LARGE, "landmarks_xy": np.stack([LARGE["landmarks_xy"][:, 1], WIDTH - LARGE["landmarks_xy"][:, 0]], 1)}
    pictures = torch.rand(1, WIDTH, HEIGHT, 3)
    wired = landmarks([lying], size=(WIDTH, HEIGHT))
    given = (model, pictures, 1.0, 0, "auto", "face", 1.0, 1.0, 1.0)
    mask, crops, crop, _ = nodes.FaceLocatorMask.execute(*given, face_landmarks=wired).args
    assert torch.allclose(mask, upright[0])
    assert (crop.left, crop.top, crop.side, crop.turns) == (upright[2].left, upright[2].top, upright[2].side, 3)
    back = nodes.EMOPasteBack.execute(crops, crop, pictures, 0.1)[0]
    assert back.shape == pictures.shape


def test_a_painted_mask_comes_before_landmarks(nodes, model):
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 100:150, 100:140] = 1
    crop = locate(nodes, model, landmarks([LARGE]), mask=mask)[2]
    assert crop.side == pytest.approx(50 / CONFIG.face_share, abs=1)


@pytest.mark.parametrize(
    ("wired", "message"),
    [
        ("text", "got str without a list of faces per picture"),
        ({"image_size": (HEIGHT, WIDTH)}, "got dict without a list of faces per picture"),
        ({"frames": [None], "image_size": (HEIGHT, WIDTH)}, "got dict without a list of faces per picture"),
        (landmarks([LARGE], [LARGE]), "got landmarks of 2 pictures for 1 in `image`"),
        (landmarks([LARGE], size=(WIDTH, HEIGHT)), "got landmarks of a picture of 300 x 400 for one of 400 x 300"),
        (landmarks([LARGE], size=None), "got image_size None; expected height and width"),
        (landmarks([{}]), "got a face with landmarks_xy of no points; expected 478 x 2"),
        (landmarks([{"landmarks_xy": np.zeros((468, 2))}]), "landmarks_xy of 468 x 2; expected 478 x 2"),
        (landmarks([{"landmarks_xy": np.full((478, 2), np.nan)}]), "points that are no numbers"),
        (landmarks(["face"]), "landmarks_xy of no points"),
    ],
)
def test_wrong_landmarks_are_refused_with_a_remedy(nodes, model, wired, message):
    problem(lambda: locate(nodes, model, wired), f"face_landmarks: .*{message}.*Detect Face Landmarks")


def test_without_mediapipe_the_node_never_advises_to_install_it(nodes, model, monkeypatch):
    """Its wheel takes the host's numpy from 2 to 1."""
    find = module(".emo_core.face.detectors").importlib.util
    monkeypatch.setattr(find, "find_spec", lambda name: None)
    with pytest.raises(Exception, match="choose auto or built-in, or wire face_landmarks") as caught:
        locate(nodes, model, None, detector="mediapipe")
    assert "pip install" not in str(caught.value)
    assert "install it again" not in str(caught.value)
