"""The mouth takes the portrait's light; own teeth are found where they are seen."""

import numpy as np
import torch

from emo_core.portrait.mouth_colours import COLOURS, mouth_colours, own_teeth
from emo_core.portrait.mouth_geometry import HEIGHT, WIDTH
from tests.portrait.faces import drawn_face, picture

SKIN, LIPS, WHITE = (200, 150, 130), (170, 80, 80), (190, 180, 176)


def colourful(colour):
    return float((colour.max() - colour.min()) / colour.mean())


def test_teeth_have_the_colour_of_the_white_of_the_eyes():
    for white in (WHITE, (190, 150, 110), (150, 170, 190)):
        teeth = mouth_colours(picture(SKIN, LIPS, white), drawn_face())[6:]
        shares = teeth / teeth.sum() - torch.tensor(white) / sum(white)
        assert float(shares.abs().max()) < 0.01


def test_shut_eyes_give_pale_teeth():
    skin, _, teeth = mouth_colours(picture(SKIN, LIPS, (60, 30, 20)), drawn_face()).split(3)
    assert colourful(teeth) < 0.5 * colourful(skin)
    assert 0.4 < float(teeth.mean()) < 0.93


def test_a_statue_gets_a_grey_mouth():
    colours = mouth_colours(picture((140, 140, 140), (120, 120, 120), (150, 150, 150)), drawn_face())
    assert all(colourful(part) < 0.02 for part in colours.split(3))


def test_faces_at_the_edge_of_a_picture_give_colours():
    colours = mouth_colours(np.full((40, 40, 3), 100, np.uint8), drawn_face() - 120)
    assert colours.shape == (COLOURS,)
    assert torch.isfinite(colours).all()


def toothy(opening=0.3, teeth=(235, 230, 220)):
    image, points = picture(SKIN, LIPS, WHITE), drawn_face(opening)
    for x in range(76, 125):
        depth = opening * 60 * (1 - ((x - 100) / 25.2) ** 2)
        image[130 : 130 + max(0, round(depth)), x] = (40, 15, 15)
        image[130 : 130 + max(0, round(min(depth, 9))), x] = teeth
    return image, points


def test_own_upper_teeth_are_found_and_the_cavity_is_not_theirs():
    image, points = toothy()
    found = own_teeth(image, points, drawn_face())
    assert found.patch.shape == (3, HEIGHT, WIDTH)
    assert found.mask.shape == (1, HEIGHT, WIDTH)
    seen = found.mask[0] > 0.5
    assert seen.sum() > 200
    assert float(found.patch.mean(0)[seen].min()) > 0.6
    rows = seen.any(1).nonzero()[:, 0]
    assert float(rows[-1] - rows[0]) < 0.2 * WIDTH / 1.3


def test_no_teeth_no_patch():
    image, points = toothy(teeth=(40, 15, 15))
    assert own_teeth(image, points, drawn_face()) is None
    assert own_teeth(picture(SKIN, LIPS, WHITE), drawn_face()) is None


def test_drawn_teeth_are_as_white_as_own_ones():
    image, points = toothy(teeth=(240, 236, 200))
    colours = mouth_colours(image, points, own_teeth(image, points, drawn_face()))
    assert torch.allclose(colours[6:], torch.tensor([240, 236, 200]) / 255, atol=0.03)
