"""The rig's face as a surface and as a picture."""

import numpy as np
import pytest

from emo_core.face.mesh_points import INNER_LIPS_LOWER, INNER_LIPS_UPPER
from emo_core.face.mesh_view import BACKGROUND, MeshView
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_drawing import MODES, draw_motion
from emo_core.face.rasterise import rasterise
from emo_core.face.rig import load_rig
from emo_core.face.surface import SurfaceColours, face_surface

COLOURS = SurfaceColours()


@pytest.fixture(scope="module")
def rig():
    return load_rig()


def posed(curves=None, rotation=(0, 0, 0), translation=(0, 0, 0)):
    still = FaceMotion.still(1, 25).with_curves({name: np.array([value]) for name, value in (curves or {}).items()})
    return FaceMotion(
        coefficients=still.coefficients,
        rotation=np.array([rotation], np.float32),
        translation=np.array([translation], np.float32),
        fps=25.0,
    )


def picture(rig, size=256, mode="shaded", **pose):
    return next(draw_motion(posed(**pose), rig, size=size, mode=mode)).astype(int)


def count(shown, colour):
    """Pixels that are near a colour in hue, whatever their brightness."""
    shown, colour = shown / np.maximum(shown.sum(-1, keepdims=True), 1), np.array(colour) / sum(colour)
    return int((np.abs(shown - colour).max(-1) < 0.04).sum())


def test_nearer_triangles_cover_farther_ones_in_any_order():
    places = np.array([[2, 2], [14, 2], [2, 14], [4, 4], [8, 4], [4, 8]], float)
    depth = np.array([0, 0, 0, 1, 1, 1.0])
    for triangles in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        seen = rasterise(places, depth, depth, np.array(triangles), 16)
        shown = np.full(256, -1.0)
        shown[seen.pixels] = seen.values
        assert len(np.unique(seen.pixels)) == len(seen.pixels)
        shown = shown.reshape(16, 16)
        assert shown[5, 5] == 1 and shown[3, 3] == 0 and shown[15, 15] == -1


def test_triangles_that_cross_are_each_seen_where_they_are_nearer():
    places = np.array([[0, 0], [16, 0], [0, 16], [16, 16]], float)
    places, triangles = np.concatenate([places, places]), np.array([[0, 1, 3], [0, 3, 2], [4, 5, 7], [4, 7, 6]])
    depth = np.array([0, 1, 0, 1, 1, 0, 1, 0], float)  # One rises to the right, one to the left.
    seen = rasterise(places, depth, depth, triangles, 16)
    shown = np.empty(256)
    shown[seen.pixels] = seen.values
    columns = (np.arange(16) + 0.5) / 16
    assert np.allclose(shown.reshape(16, 16), np.maximum(columns, 1 - columns), atol=1e-5)


def test_values_are_linear_and_neighbours_leave_no_gap():
    places = np.array([[0, 0], [16, 0], [0, 16], [16, 16], [7.3, 9.1]], float)
    triangles = np.array([[0, 1, 4], [1, 3, 4], [3, 2, 4], [2, 0, 4]])
    seen = rasterise(places, np.zeros(5), places[:, 0], triangles, 16)
    assert sorted(seen.pixels) == list(range(256))
    assert np.allclose(seen.values, seen.pixels % 16 + 0.5, atol=1e-4)


def test_what_lies_outside_the_picture_is_cut_off():
    places = np.array([[-1e6, -10], [1e6, 5], [3, 1e6]])
    seen = rasterise(places, np.zeros(3), np.ones(3), np.array([[0, 1, 2]]), 16)
    assert len(seen.pixels) and seen.pixels.min() >= 0 and seen.pixels.max() < 256
    assert not len(rasterise(places + 1e7, np.zeros(3), np.ones(3), np.array([[0, 1, 2]]), 16).pixels)
    assert not len(rasterise(np.zeros((3, 2)), np.zeros(3), np.ones(3), np.array([[0, 1, 2]]), 16).pixels)


def test_the_first_vertices_are_the_rig_s_points(rig):
    surface, motion = face_surface(rig), posed({"jawOpen": 0.5}, (0, 20, 0), (0.1, 0, 0))
    assert np.allclose(surface.moving(motion, rig)[0, :478], rig.points(motion)[0])
    assert (surface.welded <= np.arange(len(surface.welded))).all()


def test_triangles_have_one_colour_and_normals_length_one(rig):
    surface = face_surface(rig)
    corners = surface.colours[surface.triangles]
    assert (corners == corners[:, :1]).all()
    assert np.allclose(np.linalg.norm(surface.normals(surface.vertices(rig.mean)), axis=1), 1)


def test_skin_and_lips_share_their_light(rig):
    surface = face_surface(rig)
    normals = surface.normals(surface.vertices(rig.mean))
    lips = np.flatnonzero(surface.welded != np.arange(len(surface.welded)))
    assert len(lips) > 30 and np.array_equal(normals[lips], normals[surface.welded[lips]])


def test_the_mouth_opens_on_teeth_and_dark(rig):
    closed, opened = picture(rig), picture(rig, curves={"jawOpen": 0.7})
    assert count(closed, COLOURS.mouth) < 40 < 150 < count(opened, COLOURS.mouth)
    view, lips = MeshView.of(rig, 256), [*INNER_LIPS_UPPER, *INNER_LIPS_LOWER]
    (left, top), (right, bottom) = (f(view.places(rig.points(posed({"jawOpen": 0.7})))[0, lips], 0) / 2 for f in (np.min, np.max))  # fmt: skip
    inside = (slice(int(top), int(bottom)), slice(int(left), int(right)))
    assert (opened[inside].min(-1) > 150).sum() > 50  # Teeth.
    assert (closed[inside].min(-1) > 150).sum() == 0


def test_lids_cover_the_eyes(rig):
    opened, closed = picture(rig), picture(rig, curves={"eyeBlinkLeft": 1, "eyeBlinkRight": 1})
    assert count(opened, COLOURS.iris) > 60
    assert count(closed, COLOURS.iris) < 0.1 * count(opened, COLOURS.iris)
    wink = picture(rig, curves={"eyeBlinkLeft": 1})  # The person's left eye is right in the picture.
    assert count(wink[:, 128:], COLOURS.iris) < 0.1 * count(wink[:, :128], COLOURS.iris)


def test_the_iris_goes_where_the_eyes_look(rig):
    def place(**curves):
        shown = picture(rig, curves=curves)[60:110, 128:]  # The person's left eye.
        return np.argwhere((shown[..., 2] > 60) & (shown[..., 2] > 1.3 * shown[..., 0])).mean(0)

    right = place(eyeLookOutLeft=1, eyeLookInRight=1) - place(eyeLookInLeft=1, eyeLookOutRight=1)
    up = place(eyeLookUpLeft=1, eyeLookUpRight=1) - place(eyeLookDownLeft=1, eyeLookDownRight=1)
    assert right[1] > 5 and up[0] < -5


def test_a_turned_head_hides_its_far_side(rig):
    for turn in (-60, 60):
        shown = picture(rig, rotation=(0, turn, 0))
        filled = (np.abs(shown - BACKGROUND).max(-1) > 6).any(0)
        assert 30 < filled.sum() < 256
        assert count(shown, COLOURS.iris) < 0.8 * count(picture(rig), COLOURS.iris)


@pytest.mark.parametrize("mode", MODES)
def test_a_face_outside_the_picture_leaves_it_empty(rig, mode):
    assert (picture(rig, 64, mode, translation=(5, 5, 0)) == BACKGROUND).all()


@pytest.mark.parametrize("mode", MODES)
def test_every_style_shows_a_smile(rig, mode):
    still, smile = (
        picture(rig, 128, mode, curves=curves) for curves in ({}, {"mouthSmileLeft": 1, "mouthSmileRight": 1})
    )
    changed = np.argwhere(np.abs(still - smile).max(-1) > 30)
    assert len(changed) > 60 and changed[:, 0].min() > 40  # Below the eyes.


@pytest.mark.parametrize("turn", [-45, 0, 45])
@pytest.mark.parametrize(
    "curves", [{}, {"eyeWideLeft": 1, "eyeWideRight": 1}, {"eyeLookUpLeft": 1, "eyeLookUpRight": 1}]
)
def test_no_hole_shows_between_lids_and_eyes(rig, turn, curves):
    shown = picture(rig, curves=curves, rotation=(0, turn, 0))[60:110]
    for row in np.abs(shown - BACKGROUND).max(-1) > 0:
        filled = np.flatnonzero(row)
        assert len(filled) == filled[-1] - filled[0] + 1


def test_the_eyeball_never_covers_the_iris(rig):
    rest = count(picture(rig), COLOURS.iris)
    for way in ("Up", "Out", "In"):
        looking = picture(rig, curves={f"eyeLook{way}Left": 1, f"eyeLook{way}Right": 1})
        assert count(looking, COLOURS.iris) > 0.5 * rest, way
