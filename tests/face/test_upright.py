"""Faces on their side or head, and distant ones."""

import numpy as np
import pytest
from PIL import Image

from emo_core.errors import InputError
from emo_core.face.built_in_detector import BuiltInDetector
from emo_core.face.crop import Crop, PasteBack
from emo_core.face.detectors import make_detector
from emo_core.face.selection import RegionRequest
from emo_core.face.upright import find_upright, roll_turns
from emo_core.media.picture import load_picture
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def detector():
    return make_detector()


@pytest.fixture(scope="module")
def portraits(data):
    return [load_picture(data / "portraits" / name) for name in ("astronaut.png", "hallo_2_3dgirl.jpg")]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_portrait_is_turned_upright(detector, portraits, turns):
    for portrait in portraits:
        straight = find_upright([portrait], RegionRequest(), detector)
        found = find_upright([np.ascontiguousarray(np.rot90(portrait, turns))], RegionRequest(), detector)
        assert straight.turns == 0 and found.turns == -turns % 4
        assert np.array_equal(found.images[0], portrait)
        assert found.faces[0].box.overlap(straight.faces[0].box) > 0.9


def test_only_detected_faces_are_turned(detector, portraits):
    portrait = np.ascontiguousarray(np.rot90(portraits[0]))
    for request in (RegionRequest("none"), RegionRequest.parse("10,10,100,100")):
        assert find_upright([portrait], request, detector).turns == 0


def test_a_picture_without_a_face_is_refused(detector):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="no face found in the 200 x 200 picture"):
        find_upright([noise], RegionRequest(), detector)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_square_is_cut_and_pasted_back(turns):
    rows, columns = np.mgrid[:200, :260]
    upright = np.stack([rows, columns % 256, (rows + columns) % 256], -1).astype(np.uint8)
    given = np.ascontiguousarray(np.rot90(upright, -turns))
    crop = Crop(60, 40, 100, 100, (given.shape[1], given.shape[0]), turns)
    assert np.array_equal(crop.cut(given), Crop(60, 40, 100, 100).cut(upright))
    pasted = PasteBack(crop, given)(np.full((100, 100, 3), 7, np.uint8))
    assert pasted.shape == given.shape
    assert (np.rot90(pasted, turns)[60:120, 80:140] == 7).all()
    changed = (np.rot90(pasted, turns) != upright).any(-1)
    assert not changed[:40].any() and not changed[:, :60].any() and not changed[140:].any()


@pytest.mark.parametrize("share", [0.05, 0.08, 0.15])
@pytest.mark.parametrize("built_in", [False, True])
def test_distant_faces_are_found(detector, portraits, share, built_in):
    """A face of a small share of the picture's height, before a plain wall with some texture."""
    finder = BuiltInDetector() if built_in else detector
    portrait = portraits[0]
    face = detector.detect(portrait)[0].box
    scale = share * 1200 / face.height
    small = Image.fromarray(portrait).resize([round(side * scale) for side in portrait.shape[1::-1]])
    wall = np.random.default_rng(0).integers(110, 130, (1200, 900, 3), dtype=np.uint8)
    wall[300 : 300 + small.height, 30 : 30 + small.width] = np.asarray(small)
    (found,) = finder.detect(wall)
    expected = [30 + face.left * scale, 300 + face.top * scale, 30 + face.right * scale, 300 + face.bottom * scale]
    edges = [found.box.left, found.box.top, found.box.right, found.box.bottom]
    assert np.abs(np.subtract(edges, expected)).max() < 0.15 * face.height * scale


@pytest.mark.parametrize("degrees", [-30, -25, 25, 30])
def test_tilted_heads_are_not_turned(detector, portraits, degrees):
    """Heads tilt by as much in upright pictures."""
    for portrait in (portraits[0], load_picture(ROOT / "assets" / "portrait.png")):
        tilted = np.asarray(Image.fromarray(portrait).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128,) * 3))
        for finder in (detector, BuiltInDetector()):
            if len(finder.detect(tilted)) == 1:
                assert find_upright([tilted], RegionRequest(), finder).turns == 0


def test_the_chosen_number_counts_in_turned_pictures_too(detector):
    portrait = load_picture(ROOT / "assets" / "portrait.png")
    lying = np.ascontiguousarray(np.rot90(portrait))
    assert find_upright([lying], RegionRequest(face_index=0), UprightOnly(detector)).turns == 3
    with pytest.raises(InputError, match="face index: got 3; the portrait has 1"):
        find_upright([lying], RegionRequest(face_index=3), UprightOnly(detector))


class UprightOnly:
    """A detector that misses faces which are not upright."""

    def __init__(self, detector):
        self.detector = detector

    def detect(self, image):
        return [face for face in self.detector.detect(image) if not roll_turns(face.landmarks)]
