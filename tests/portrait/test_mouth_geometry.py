"""The patch is fixed to the skull, and pictures come back from it where they were."""

import math

import pytest
import torch

from emo_core.portrait.mouth_geometry import (
    DESCRIPTOR,
    HEIGHT,
    WIDTH,
    cut_patches,
    lip_descriptor,
    lip_edges,
    lip_mask,
    lip_polygons,
    patch_transform,
    picture_grid,
)
from tests.portrait.faces import drawn_face, moved


def test_the_descriptor_ignores_size_place_and_roll_of_the_head():
    neutral, spoken = drawn_face(), drawn_face(opening=0.3)
    upright = lip_descriptor(spoken[None], neutral)
    turned = lip_descriptor(moved(spoken, 2.5, 0.3, (40, 90))[None], moved(neutral, 2.5, 0.3, (40, 90))[None])
    assert upright.shape == (1, DESCRIPTOR)
    assert torch.allclose(upright, turned, atol=1e-4)


def test_the_origin_is_the_neutral_mouth_whatever_the_lips_do():
    neutral = drawn_face()
    closed, opened = (lip_polygons(lip_descriptor(drawn_face(opening=gap)[None], neutral))[0] for gap in (0, 0.4))
    assert float(closed.mean(0).abs().max()) < 0.02
    assert float((opened - closed)[:, 1].max()) == pytest.approx(0.4, abs=0.02)


def test_a_patch_returns_to_its_place():
    skull = moved(drawn_face(), 2.2, 0.2, (10, -20))[None]
    ys, xs = torch.meshgrid(torch.arange(400.0), torch.arange(420.0), indexing="ij")
    picture = torch.stack([(xs / 37).sin(), (ys / 23).cos(), xs / 420])[None]
    transform = patch_transform(skull)
    back = torch.nn.functional.grid_sample(
        cut_patches(picture, transform), grid := picture_grid(transform, 420, 400), align_corners=False
    )
    inside = (grid.abs() < 0.95).all(-1)[:, None]
    assert inside.sum() > 5000
    assert float(((back - picture).abs() * inside).max()) < 0.05


def test_closed_lips_show_nothing():
    neutral = drawn_face()
    closed = lip_mask(lip_descriptor(neutral[None], neutral))
    opened = lip_mask(lip_descriptor(drawn_face(opening=0.3)[None], neutral))
    assert closed.shape == opened.shape == (1, 1, HEIGHT, WIDTH)
    assert float(closed.max()) == 0
    assert float(opened.max()) == 1
    assert opened[0, 0, 0].max() == opened[0, 0, -1].max() == 0


def test_edges_run_through_the_lips():
    lips = lip_descriptor(drawn_face(opening=0.3)[None], drawn_face())
    middle = lip_polygons(lips)[0, 5]
    upper, lower = lip_edges(lips, torch.tensor([float(middle[0]), -5.0, 5.0]))
    assert float(upper[0, 0]) == pytest.approx(float(middle[1]), abs=1e-5)
    assert float(lower[0, 0] - upper[0, 0]) > 0.2
    assert torch.allclose(upper[0, 1:], lower[0, 1:], atol=1e-5)


def test_a_turned_head_squeezes_no_patch_to_nothing():
    face = drawn_face()
    yawed = face.clone()
    yawed[:, 0] = (face[:, 0] - 100) * math.cos(0.26) + 100
    size = patch_transform(yawed[None])[0, :, 0].norm() / patch_transform(face[None])[0, :, 0].norm()
    assert 0.95 < float(size) < 1
