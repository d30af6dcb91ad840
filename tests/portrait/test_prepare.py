"""Portraits as people bring them: which are taken, and what is said of the others."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from emo_core.errors import InputError
from emo_core.face.built_in_detector import BuiltInDetector
from emo_core.portrait.plausible import check_landmarks
from emo_core.portrait.prepare import prepare_portrait

from .conftest import resized


def test_the_square_lies_inside_the_picture(picture, detector, rig):
    portrait = prepare_portrait(picture, detector, rig, size=256)
    crop = portrait.crop
    assert crop.left >= 0 and crop.top >= 0 and crop.left + crop.side <= 256 and crop.top + crop.side <= 256
    assert (portrait.landmarks[:, :2] > 0).all() and (portrait.landmarks[:, :2] < 256).all()


def test_no_face(detector, rig):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="no face found"):
        prepare_portrait(noise, detector, rig)


def test_three_faces_need_a_choice(picture, detector, rig):
    three = np.concatenate([picture] * 3, axis=1)
    with pytest.raises(InputError, match=r"3 faces found .* choose one"):
        prepare_portrait(three, detector, rig)
    portrait = prepare_portrait(three, detector, rig, size=128, face_index=1)
    assert portrait.picture.shape[0] >= 128


def test_a_tiny_face(picture, detector, rig):
    with pytest.raises(InputError, match="portrait: "):
        prepare_portrait(resized(picture, 40, 40), detector, rig)


@pytest.mark.slow
def test_a_huge_picture(picture, detector, rig):
    portrait = prepare_portrait(resized(picture, 8000, 8000), detector, rig, size=256)
    assert portrait.picture.shape[0] < 400


def test_a_picture_on_its_side_is_turned(picture, detector, rig):
    upright, turned = (prepare_portrait(part, detector, rig, size=256) for part in (picture, np.rot90(picture)))
    assert turned.crop.turns % 4 == 3 or turned.crop.turns % 4 == 1
    assert np.abs(upright.picture.astype(int) - turned.picture).mean() < 12


def test_a_profile(rig, prepared):
    from emo_core.face.alignment import align
    from emo_core.face.rotation import rotation_matrices

    aligned = align(prepared.landmarks[None])
    turn = rotation_matrices(np.array([[0.0, 50.0, 0.0]]))[0]
    points = aligned.points @ turn.T * 100 * [1, -1, -1] + [150, 150, 0]
    with pytest.raises(InputError, match=r"turned by .* degrees; give one that looks into the camera"):
        check_landmarks(points[0], rig, (300, 300))


@pytest.mark.parametrize("kind", ["squashed", "scattered", "upside down"])
def test_points_that_form_no_face(prepared, rig, kind):
    points = np.array(prepared.landmarks)
    if kind == "squashed":
        points[:, 1] = points[:, 1].mean() + (points[:, 1] - points[:, 1].mean()) * 0.45
    elif kind == "upside down":
        points[:, 1] = 256 - points[:, 1]
    else:
        points += np.random.default_rng(0).normal(0, 8, points.shape)
    with pytest.raises(InputError, match=r"portrait: .*(form no face|is turned)"):
        check_landmarks(points, rig, (256, 256))


def scribble(width, height):
    """A face of five strokes."""
    paper = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(paper)
    draw.ellipse((80, 60, 320, 360), outline="black", width=4)
    for box in ((140, 150, 170, 180), (230, 150, 260, 180)):
        draw.ellipse(box, fill="black")
    draw.line((150, 280, 250, 290), fill="black", width=5)
    return np.asarray(paper.resize((width, height)))


def test_a_drawing_with_a_face_is_taken(detector, rig):
    assert prepare_portrait(scribble(400, 400), detector, rig, size=256).size == 256


@pytest.mark.parametrize("shape", [(900, 400), (300, 700)])
def test_a_drawing_without_a_plausible_face_is_refused_with_advice(detector, rig, shape):
    with pytest.raises(InputError, match=r"portrait: .*(give|animate)"):
        prepare_portrait(scribble(*shape), detector, rig)


def test_without_landmarks_three_ways_are_named(picture, rig):
    with pytest.raises(InputError, match=r"Install mediapipe .*; or wire ComfyUI.*; or animate .*--model emo-mini"):
        prepare_portrait(picture, BuiltInDetector(), rig)


@pytest.mark.parametrize("size", [100, 2000, 255])
def test_sizes_out_of_range(picture, detector, rig, size):
    with pytest.raises(InputError, match="size: got"):
        prepare_portrait(picture, detector, rig, size=size)


@pytest.mark.parametrize("thing", ["sunglasses", "a hand over the mouth"])
def test_a_covered_face_is_moved_or_refused_with_advice(picture, prepared, detector, rig, thing):
    """Nothing recognises what covers a face. It moves as skin if the face points are still plausible."""
    scale = prepared.crop.side / prepared.size
    points = prepared.landmarks[:, :2] * scale + [prepared.crop.left, prepared.crop.top]
    covered = Image.fromarray(picture)
    draw = ImageDraw.Draw(covered)
    if thing == "sunglasses":
        for eye in (468, 473):
            x, y = points[eye]
            draw.ellipse((x - 18, y - 13, x + 18, y + 13), fill=(15, 15, 18))
    else:
        x, y = points[13]
        draw.rounded_rectangle((x - 45, y - 14, x + 45, y + 30), 14, fill=(205, 160, 140))
    try:
        portrait = prepare_portrait(np.asarray(covered), detector, rig, size=128)
    except InputError as error:
        assert "portrait: " in str(error) and "give" in str(error)
    else:
        assert np.isfinite(portrait.landmarks).all()
