"""The network of the mouth: its shapes, its size, its file."""

import json

import pytest
import torch
from safetensors.torch import save_file

from emo_core.errors import CheckpointError, InputError
from emo_core.portrait.mouth_geometry import DESCRIPTOR, HEIGHT, WIDTH, lip_descriptor
from emo_core.portrait.mouth_interior import MouthConfig, MouthInterior, load_mouth, placed, save_mouth
from tests.portrait.faces import drawn_face

SMALL = MouthConfig(channels=8, blocks=1, hidden=8, detail=4)
COLOURS = torch.tensor([0.7, 0.5, 0.45, 0.6, 0.3, 0.3, 0.7, 0.66, 0.64])


@pytest.fixture
def mouth():
    torch.manual_seed(0)
    return MouthInterior(SMALL).eval()


def lips(*openings):
    return lip_descriptor(torch.stack([drawn_face(opening) for opening in openings]), drawn_face())


def test_it_draws_a_patch_per_frame(mouth):
    drawn = mouth(lips(0.0, 0.2, 0.4), COLOURS)
    assert drawn.shape == (3, 3, HEIGHT, WIDTH)
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
    assert torch.allclose(drawn[1:2], mouth(lips(0.2), COLOURS), atol=1e-5)


def test_upper_teeth_stay_and_lower_teeth_follow_the_jaw(mouth):
    with torch.no_grad():
        mouth.last.bias.copy_(torch.tensor([-9.0, -9.0, 9.0, 0.0, 9.0, 0.0]))
        closed, opened = mouth(lips(0.0, 0.4), COLOURS).mean(1)
    middle = WIDTH // 2
    bright = [(patch[:, middle] > 0.3).nonzero()[:, 0] for patch in (closed, opened)]
    assert bright[0][0] == bright[1][0]
    moved = float(bright[1][-1] - bright[0][-1]) * 1.3 / WIDTH
    assert 0.2 < moved < 0.45


def test_a_picture_of_teeth_is_put_where_it_is_asked(mouth):
    there = placed(mouth.upper[None], torch.tensor([[0.1, -0.35]]))
    here = placed(mouth.upper[None], torch.tensor([[0.0, -0.35]]))
    assert there.shape == (1, 2, HEIGHT, WIDTH)
    shift = round(0.1 * WIDTH / 1.3)
    assert torch.allclose(there[..., 40 + shift : 80 + shift], here[..., 40:80], atol=0.4)


def test_colours_are_the_portrait_s(mouth):
    grey = mouth(lips(0.3), torch.full((9,), 0.5))
    assert float((grey.max(1).values - grey.min(1).values).max()) < 1e-5


def test_a_file_gives_the_same_mouth(mouth, tmp_path):
    path = tmp_path / "mouth.safetensors"
    save_mouth(mouth, path)
    again = load_mouth(path)
    assert again.config == SMALL
    assert torch.allclose(again(lips(0.3), COLOURS), mouth(lips(0.3), COLOURS), atol=5e-3)


def test_the_usual_size_fits():
    usual = MouthInterior(MouthConfig())
    assert sum(value.numel() for value in usual.parameters()) < 1_000_000


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "something else"},
        {"format": "mouth-interior 1"},
        {"format": "mouth-interior 1", "config": json.dumps({"channels": 10**6})},
        {"format": "mouth-interior 1", "config": json.dumps({"channels": 16})},
    ],
)
def test_other_files_are_refused_in_one_line(metadata, mouth, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({name: value.contiguous() for name, value in mouth.state_dict().items()}, path, metadata)
    with pytest.raises(CheckpointError) as failure:
        load_mouth(path)
    assert "\n" not in str(failure.value)
    assert "mouth" in str(failure.value)


def test_no_file_and_wrong_shapes(mouth, tmp_path):
    with pytest.raises(InputError):
        load_mouth(tmp_path / "absent.safetensors")
    with pytest.raises(ValueError, match=str(DESCRIPTOR)):
        mouth(torch.zeros(2, 3), COLOURS)
