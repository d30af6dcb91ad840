"""The recipe of the mouth: poses, painted guides, rows of teeth, and steps of training."""

import numpy as np
import pytest
import torch

from emo_core.face.pose import RIGID
from emo_core.portrait.mouth_geometry import HEIGHT, WIDTH, lip_descriptor, lip_mask, lip_polygons
from emo_core.portrait.mouth_interior import LAYERS, ROWS, MouthConfig, row_of_teeth
from emo_core.training.batches import Place
from recipes.mouth.painted import LEAST, MOST, opened, painted
from recipes.mouth.people import People, begin_from, read_people, write_people
from recipes.mouth.poses import neutral_face, skull_points
from recipes.mouth.rows import BRIGHT, lower_row, upper_row
from recipes.mouth.train import MouthTask, Patches
from tests.portrait.faces import drawn_face

SMALL = MouthConfig(channels=8, blocks=1, hidden=8, detail=4)


def lips(*openings):
    return lip_descriptor(torch.stack([drawn_face(opening) for opening in openings]), drawn_face())


def film(openings):
    """(F, 478, 3): a head that grows and shifts."""
    points = np.zeros((len(openings), 478, 3))
    for number, opening in enumerate(openings):
        points[number, :, :2] = drawn_face(opening).numpy()
        for place, (x, y, z) in RIGID.items():
            points[number, place] = (100 + 80 * x, 90 - 80 * y, -80 * z)
        points[number] = points[number] * (1 + 0.01 * number) + 3 * number
    return points


def test_the_skull_does_not_follow_the_lips():
    points = film([0, 0, 0, 0, 0.3, 0.3])
    neutral = neutral_face(points)
    skull = skull_points(neutral, points[-1:])
    assert np.abs(skull[0, list(RIGID)] - points[-1, list(RIGID)]).max() < 1e-6
    gap = skull[0, 14, 1] - skull[0, 13, 1]
    assert abs(gap) < 1e-6
    assert neutral_face(film([0.3, 0.3, 0.3, 0.3])) is None


def test_opened_lips_have_all_gaps():
    many = opened(lips(0.2).expand(200, -1), torch.Generator().manual_seed(0))
    points = lip_polygons(many)
    gaps = points[:, 15, 1] - points[:, 5, 1]
    assert LEAST - 1e-3 <= float(gaps.min()) < 0.1
    assert 0.6 < float(gaps.max()) <= MOST + 1e-3


def test_painted_layers_are_possible_ones():
    layers = painted(lips(0.05, 0.3, 0.8))
    assert layers.shape == (3, LAYERS, HEIGHT, WIDTH)
    assert 0 <= float(layers.min()) <= float(layers.max()) <= 2
    inside = lip_mask(lips(0.3))[0, 0] > 0.9
    flesh = layers[1, 1][inside]
    assert float(flesh.min()) < 0.2 < 0.5 < float(flesh.max())


def test_the_lower_row_is_the_upper_one_upside_down():
    band = row_of_teeth(upper=True)
    upper = upper_row(torch.cat([torch.full_like(band, 0.4), band]))
    assert float(upper[0].sigmoid().median()) == pytest.approx(BRIGHT, abs=0.01)
    lower = lower_row(upper)
    assert lower.shape == (2, ROWS, WIDTH)
    wide = [(row[1] > 0).any(0).sum() for row in (upper, lower)]
    assert 0.6 < float(wide[1] / wide[0]) < 0.85


def patches(path):
    rng = np.random.default_rng(0)
    np.savez(
        path,
        patches=rng.integers(0, 255, (6, HEIGHT, WIDTH, 3), dtype=np.uint8),
        lips=lips(0.1, 0.2, 0.3, 0.1, 0.2, 0.3).numpy(),
        source=np.array([0, 0, 1, 1, 2, 2]),
        persons=np.array(["s1", "s4", "frl001"]),
        sharp=np.array([False, True, True]),
        colours=np.full((3, 9), 0.5, np.float32),
    )
    return Patches.open(path)


def test_a_step_of_training_and_the_file_of_everybody(tmp_path):
    torch.manual_seed(0)
    data = patches(tmp_path / "patches.npz")
    people = People(SMALL, data.names, data.colours)
    task = MouthTask(people, data, 4)
    batch = next(task.batches(Place(torch.device("cpu")), 0))
    (loss,) = task.losses(batch, (people,), 0.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert people.upper.grad is not None
    assert float(people.lower.grad[data.names.index("frl001")].abs().max()) == 0
    write_people(people, tmp_path / "people.safetensors")
    again = read_people(tmp_path / "people.safetensors")
    assert again.names == data.names
    fewer = People(SMALL, data.names[1:], data.colours)
    begin_from(fewer, tmp_path / "people.safetensors")
    assert torch.equal(fewer.upper, people.upper[1:])
