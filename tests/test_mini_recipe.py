"""The recipe of emo-mini (scripts/mini): people who were never there, voices as they may be recorded, and all stages in one go."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.sound import speech_level
from emo_core.config import EMO_MINI, EMO_MINI_FEW, TINY
from emo_core.trainer.shards import TRAIN, read_clips
from emo_core.weights.checkpoint import load_checkpoint, read_metadata
from scripts.mini import gather, make, train
from scripts.mini.audio import levels
from scripts.mini.people import Framing, Person, boxes_in, random_framing, random_person, seen, sources
from tests.conftest import CONFIG, tone
from tests.trainer.synthetic import write_dataset

SIDE = 64
BOX = torch.tensor([[0.25, 0.5, 0.5, 0.75]])


def picture() -> torch.Tensor:
    """Black, and white inside BOX."""
    image = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    image[:, SIDE // 2 : SIDE * 3 // 4, SIDE // 4 : SIDE // 2] = 255
    return image


def white(image: torch.Tensor) -> list[float]:
    rows, columns = (image[0, ..., 0] > 127).nonzero().T
    return [float(v) / SIDE for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def grid_of(person: Person | None = None, framing: Framing | None = None) -> torch.Tensor:
    return sources(person or Person(), framing or Framing(), SIDE, torch.device("cpu"))


def test_the_one_who_was_filmed_stays():
    assert torch.equal(seen(picture(), grid_of(), Person()), picture())
    assert torch.allclose(boxes_in(BOX, grid_of()), BOX)


@pytest.mark.parametrize(
    ("person", "framing", "expected"),
    [
        (Person(mirrored=True), Framing(), [0.5, 0.5, 0.75, 0.75]),
        (Person(), Framing(zoom=2.0, x=-1.0, y=1.0), [0.5, 0.0, 1.0, 0.5]),
    ],
)
def test_boxes_go_where_the_picture_goes(person, framing, expected):
    grid = grid_of(person, framing)
    assert white(seen(picture(), grid, person)) == pytest.approx(expected, abs=1.1 / SIDE)
    assert boxes_in(BOX, grid)[0].tolist() == pytest.approx(expected, abs=1.1 / SIDE)


def test_boxes_follow_random_people():
    rng = np.random.default_rng(0)
    for _ in range(20):
        person, framing = random_person(rng), random_framing(rng)
        shape = Person(mirrored=person.mirrored, stretch=person.stretch, slant=person.slant, waves=person.waves)
        grid = grid_of(shape, framing)
        assert white(seen(picture(), grid, shape)) == pytest.approx(boxes_in(BOX, grid)[0].tolist(), abs=2.1 / SIDE)


def test_what_is_out_of_sight_is_an_empty_box():
    left, top, right, bottom = boxes_in(BOX, grid_of(framing=Framing(zoom=4.0, x=1.0, y=-1.0)))[0].tolist()
    assert left == right and top == bottom


def test_levels_are_speech_levels():
    quiet = np.concatenate([np.zeros(16000, np.float32), 0.1 * tone(2.0)]).astype(np.float32)
    found = levels(torch.from_numpy(np.stack([quiet, 3 * quiet])))[:, 0]
    assert found.tolist() == pytest.approx([speech_level(quiet), 3 * speech_level(quiet)], rel=0.05)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four clips of one person, one of somebody else, as GRID's file names tell them apart."""
    dataset = write_dataset(tmp_path_factory.mktemp("mini") / "data", clips=5)
    clips = list(read_clips(dataset, TRAIN))
    assert not any("_" in clip.about["file"] for clip in clips)
    return dataset


def test_everybody_has_a_share(data):
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    other = gather.Filmed(filmed[4].clip, filmed[4].pictures, filmed[4].sounds, main=False)
    chosen = gather.variants([*filmed[:4], other])
    assert sum(v.share for v in chosen if v.source == 4) == pytest.approx(1 - gather.MAIN_SHARE - gather.FRAMED_SHARE)
    assert sum(v.share for v in chosen if v.source < 4) == pytest.approx(gather.MAIN_SHARE + gather.FRAMED_SHARE)
    by_group = {}
    for variant in chosen:
        by_group.setdefault(variant.group, []).append(variant)
    for group in by_group.values():
        assert len({v.source for v in group}) == 1 and all(v.person == group[0].person for v in group)
        assert len({v.framing for v in group}) == len(group)


def test_every_stage_in_one_go(data, tmp_path, monkeypatch):
    """The whole script, on a network of the tests' size."""
    monkeypatch.setattr(train, "MINI", replace(TINY, name="emo-mini"))
    encoder = AudioEncoder.from_config(CONFIG.audio)
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors", {"config": CONFIG.audio.encoder})
    arguments = ["train", "--data", str(data.folder), "--encoder", str(tmp_path / "encoder.safetensors"), "--out", str(tmp_path), "--hours", "0.002", "--precision", "no",
                 "--device", "cpu", "--set", "batch=2"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", arguments)
    train.main()
    for name, scale, steps in (("emo-mini", train.AUDIO_SCALE, TINY.diffusion.steps), ("emo-mini-few", 1.0, 4)):
        model = load_checkpoint(tmp_path / f"{name}.safetensors")
        diffusion = model.config.diffusion
        assert (model.config.name, diffusion.audio_scale, diffusion.steps) == (name, scale, steps)
        assert model.vae is not None and model.audio_encoder is not None
        assert model.config.temporal.anchor == train.ANCHOR


def test_the_recipe_names_every_command(tmp_path, monkeypatch, capsys):
    for folder in ("grid", "others"):
        (tmp_path / folder).mkdir()
    (tmp_path / "grid" / "bbaf2n.mp4").touch()
    monkeypatch.setattr(sys, "argv", ["make", "--grid", str(tmp_path / "grid"), "--others", str(tmp_path / "others"),
                                      "--work", str(tmp_path / "w"), "--out", str(tmp_path), "--dry-run"])  # fmt: skip
    make.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["emo_core.trainer", "scripts.mini.voices", "scripts.mini.audio", "scripts.mini.train"]  # fmt: skip
    assert "bbaf2n.mp4" in lines[0]


def test_shipped_files_say_where_they_come_from():
    for path in (EMO_MINI, EMO_MINI_FEW):
        about = read_metadata(path)
        assert "CC BY 4.0" in about["licence"] and json.loads(about["config"])["name"] == path.stem
