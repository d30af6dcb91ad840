"""Crop, paste-back, region and mask."""

import numpy as np
import pytest
import torch

from emo_core.emo.conditions.audio_regions import at_levels, face_regions, regions_of_mask
from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.crop import Crop, PasteBack
from emo_core.face.detect import Face
from emo_core.face.framing import Framing, frame_face, frame_portrait
from emo_core.face.region import region_mask
from emo_core.face.selection import RegionRequest, find_face, united

FRAMING = Framing(0.54, (0.5, 0.57))


def smooth_image(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 37 + k) * np.cos(y / 29 - k) for k in range(3)]
    return ((np.stack(waves, -1) + 1) * 127).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(300, 300), (240, 640), (900, 200)])
def test_the_crop_places_the_face_as_in_training(height, width):
    face = Box(width / 2 - 30, height / 2 - 40, width / 2 + 30, height / 2 + 40)
    crop = frame_face(face, FRAMING, 256)
    box = crop.inside(face)
    assert box.height / 256 == pytest.approx(0.54, abs=0.01)
    assert box.centre[0] / 256 == pytest.approx(0.5, abs=0.01)
    assert box.centre[1] / 256 == pytest.approx(0.57, abs=0.01)
    assert crop.cut(smooth_image(height, width)).shape == (256, 256, 3)


@pytest.mark.parametrize("face", [Box(150, 100, 210, 180), Box(-10, 5, 60, 90), Box(300, 250, 395, 298)])
def test_paste_inverts_cut(face):
    image = smooth_image(300, 400)
    crop = frame_face(face, FRAMING, 256)
    pasted = PasteBack(crop, image)(crop.cut(image))
    assert pasted.shape == image.shape
    assert np.abs(pasted.astype(int) - image).max() <= 6


def test_paste_fades_at_its_edge_and_keeps_the_rest():
    image, crop = np.zeros((200, 200, 3), np.uint8), Crop(50, 50, 100, 64)
    pasted = PasteBack(crop, image)(np.full((64, 64, 3), 200, np.uint8))
    assert not image.any()
    assert pasted[100, 100, 0] == 200
    outside = np.ones((200, 200), bool)
    outside[50:150, 50:150] = False
    assert not pasted[outside].any()
    row = pasted[100, 50:150, 0].astype(int)
    assert row[0] < 10 and row[-1] < 10 and np.abs(np.diff(row)).max() < 60


def test_paste_does_not_fade_where_the_crop_leaves_the_picture():
    image = np.zeros((100, 100, 3), np.uint8)
    pasted = PasteBack(Crop(-20, -20, 140, 64), image)(np.full((64, 64, 3), 90, np.uint8))
    assert (pasted == 90).all()


def test_paste_refuses_a_picture_of_another_size():
    face = Box(150, 100, 210, 180)
    crop = frame_face(face, FRAMING, 64, (400, 300))
    with pytest.raises(InputError, match="got 800 x 600 pixels; the square was cut from a picture of 400 x 300"):
        PasteBack(crop, smooth_image(600, 800))
    assert PasteBack(crop, smooth_image(300, 400))(np.zeros((64, 64, 3), np.uint8)).shape == (300, 400, 3)


def test_without_a_face_the_largest_centred_square_is_taken():
    image = smooth_image(300, 400)
    assert frame_portrait(image, None, FRAMING, 64) == Crop(50, 0, 300, 64, (400, 300))
    face = Box(150, 100, 210, 180)
    assert frame_portrait(image, face, FRAMING, 64) == frame_face(face, FRAMING, 64, (400, 300))


def test_mask_covers_the_region():
    mask = region_mask(Box(64, 32, 128, 192), 256, 64)
    assert mask.sum().item() == pytest.approx(16 * 40)
    assert mask[8:48, 16:32].min() == 1 and mask[:8].max() == 0 and mask[:, 32:].max() == 0
    half = region_mask(Box(2, 0, 256, 256), 256, 64)
    assert torch.allclose(half[:, 0], torch.tensor(0.5))
    assert region_mask(None, 256, 64).min() == 1
    assert region_mask(Box(-50, -50, 400, 400), 256, 64).min() == 1


def test_union_and_expand():
    union = Box.union([Box(0, 0, 10, 10), Box(5, -5, 20, 8)])
    assert union == Box(0, -5, 20, 10)
    assert Box(0, 0, 10, 20).expand(2) == Box(-5, -10, 15, 30)


def test_region_requests_are_parsed():
    assert RegionRequest.parse("auto").kind == "auto"
    assert RegionRequest.parse("10,20,30,40").box == Box(10, 20, 40, 60)
    for text in ("1,2,3", "left", "1,2,x,4", ""):
        with pytest.raises(InputError, match="expected auto, none, x,y,w,h"):
            RegionRequest.parse(text)
    for text in ("1,2,0,4", "1,2,inf,4", "nan,1,2,3"):
        with pytest.raises(InputError, match="above 0"):
            RegionRequest.parse(text)
    with pytest.raises(InputError, match="expand: got 50"):
        RegionRequest.parse("auto", expand=50)


def test_box_must_touch_the_portrait():
    image = smooth_image(100, 100)
    assert find_face(image, RegionRequest.parse("10,10,50,50"), None).box == Box(10, 10, 60, 60)
    assert find_face(image, RegionRequest.parse("none"), None) is None
    assert find_face(image, RegionRequest.parse("-50,20,20000,20000"), None).box == Box(0, 20, 100, 100)
    with pytest.raises(InputError, match="outside the 100 x 100 portrait"):
        find_face(image, RegionRequest.parse("200,10,50,50"), None)


def test_region_of_several_frames_is_the_union():
    faces = [Face(Box(10, 10, 60, 60)), Face(Box(20, 5, 70, 50))]
    assert united(faces).box == Box(10, 5, 70, 60)
    assert united([None, *faces]).box == Box(10, 5, 70, 60)
    assert united([None, None]) is None


def test_a_small_portrait_is_refused():
    with pytest.raises(InputError, match=r"40 x 40 pixels; give one of at least 64 x 64"):
        find_face(smooth_image(40, 40), RegionRequest(), None)


def test_pose_face_and_lips_regions_add_up_to_one():
    """Pose, face and lips add up to one everywhere; the lips are in the lower half of the face."""
    crop = Crop(0, 0, 256, 256)
    pose, face, lips = face_regions(Face(Box(64, 64, 192, 224)), crop)
    assert torch.allclose(pose + face + lips, torch.ones(64, 64), atol=1e-6)
    assert pose[0, 0] > 0.95
    assert face[24, 32] > 0.7
    assert lips[46, 32] > lips[24, 32] + 0.15
    maps = at_levels(torch.stack([pose, face, lips]), 32, 4)
    assert [m.shape for m in maps] == [(3, 32, 32), (3, 16, 16), (3, 8, 8), (3, 4, 4)]
    assert regions_of_mask(torch.ones(128, 128))[1].min() == 1


def test_regions_follow_the_landmarks():
    mesh = np.zeros((478, 3))
    mesh[:, 0], mesh[:, 1] = 128, 100
    mesh[10], mesh[152] = (128, 40, 0), (128, 220, 0)
    mesh[[234, 454], 0] = 60, 196
    for index, place in {61: (150, 180), 291: (180, 180), 0: (165, 170), 17: (165, 190)}.items():
        mesh[index, :2] = place
    mesh[[37, 267, 84, 314], :2] = 165, 180
    lips = face_regions(Face.of_mesh(mesh), Crop(0, 0, 256, 256))[2]
    row, column = divmod(int(lips.argmax()), 64)
    assert abs(row - 45) <= 3
    assert abs(column - 41) <= 3
