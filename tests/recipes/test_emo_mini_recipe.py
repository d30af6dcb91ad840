"""The recipe of emo-mini (recipes/emo_mini): augmented people and voices, and all stages in one run."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from emo_core.audio.encoder import AudioEncoder
from emo_core.dataset.labels import Labels
from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.config import EMO_MINI, EMO_MINI_FEW, TINY
from emo_core.emo.models.emo import EMO
from emo_core.emo.weights.checkpoint import load_checkpoint, read_metadata
from emo_core.face.pose import head_speed
from emo_core.media.sound import speech_level
from recipes.emo_mini import gather, make, train
from recipes.emo_mini.audio import levels
from recipes.emo_mini.augment_head_motion import OPEN, lean, swayed, turned
from recipes.emo_mini.augment_people import (
    Framing,
    Person,
    among,
    boxes_in,
    random_framing,
    random_person,
    sources,
    transformed,
)
from tests.conftest import CONFIG, tone
from tests.synthetic import write_dataset

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


def test_the_filmed_person_stays():
    assert torch.equal(transformed(picture(), grid_of(), Person()), picture())
    assert torch.allclose(boxes_in(BOX, grid_of()), BOX)


@pytest.mark.parametrize(
    ("person", "framing", "expected"),
    [
        (Person(mirrored=True), Framing(), [0.5, 0.5, 0.75, 0.75]),
        (Person(), Framing(zoom=2.0, x=0.5, y=-0.5), [0.5, 0.0, 1.0, 0.5]),
        (Person(), Framing(zoom=0.5, x=-0.125), [0.25, 0.5, 0.375, 0.625]),
    ],
)
def test_boxes_go_where_the_picture_goes(person, framing, expected):
    grid = grid_of(person, framing)
    assert white(transformed(picture(), grid, person)) == pytest.approx(expected, abs=1.1 / SIDE)
    assert boxes_in(BOX, grid)[0].tolist() == pytest.approx(expected, abs=1.1 / SIDE)


def test_boxes_follow_random_people():
    rng = np.random.default_rng(0)
    for _ in range(20):
        person, framing = random_person(rng), random_framing(rng)
        shape = Person(mirrored=person.mirrored, stretch=person.stretch, slant=person.slant, waves=person.waves)
        grid = grid_of(shape, framing)
        assert white(transformed(picture(), grid, shape)) == pytest.approx(
            boxes_in(BOX, grid)[0].tolist(), abs=2.1 / SIDE
        )


def test_a_box_out_of_the_picture_is_empty():
    left, top, right, bottom = boxes_in(BOX, grid_of(framing=Framing(zoom=4.0, x=-1.5, y=1.5)))[0].tolist()
    assert left == right and top == bottom


def test_another_framing_shows_nearly_all_of_the_face():
    rng, face = np.random.default_rng(0), torch.tensor([[0.3, 0.3, 0.7, 0.84]])
    places = []
    for _ in range(100):
        framing = random_framing(rng)
        box = boxes_in(face, grid_of(framing=framing))[0]
        assert torch.all(box[2:] - box[:2] > 0.9 * framing.zoom * (face[0, 2:] - face[0, :2]))
        places.append((box[:2] + box[2:]) / 2)
    across, down = torch.stack(places).T
    assert across.min() < 0.3 and across.max() > 0.7
    assert down.min() < 0.5 and down.max() > 0.7


def test_a_face_in_others_surroundings():
    """The face moves as it did, in the host's light; what surrounds it is the host's, and stands still."""
    face = torch.tensor([0.25, 0.25, 0.75, 0.75])
    clip = torch.randint(60, 120, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    host = torch.randint(160, 220, (SIDE, SIDE, 3), dtype=torch.uint8)
    composed = among(clip, face, host, face).float()
    assert torch.equal(composed[0, :8], host[:8].float()) and torch.equal(composed[1, :8], host[:8].float())
    inside = composed[:, 28:36, 28:36]
    assert torch.corrcoef(torch.stack([inside[1].flatten(), clip[1, 28:36, 28:36].float().flatten()]))[0, 1] > 0.99
    assert float(inside.mean()) == pytest.approx(190, abs=10)


def test_a_host_is_scaled_to_the_face():
    host = torch.zeros(SIDE, SIDE, 3, dtype=torch.uint8)
    host[22:42, 22:42] = 255  # A face of a fifth of the side becomes half: 2.5 times as large.
    composed = among(
        torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8),
        torch.tensor([0.25, 0.25, 0.75, 0.75]),
        host,
        torch.tensor([0.4, 0.4, 0.6, 0.6]),
    )
    bright = (composed[0, 10, :, 0] > 127).nonzero()[:, 0]
    assert [int(bright[0]), int(bright[-1])] == pytest.approx([32 - 25, 31 + 25], abs=1)


FACE = torch.tensor([0.35, 0.3, 0.65, 0.7])


def test_a_head_leans_and_its_body_stays():
    """Clockwise: what is above the chin goes to the right; shoulders and the far wall stay where they are."""
    grid = grid_of()
    moved = swayed(grid, torch.tensor([0.0, 0.1]), FACE)
    assert torch.equal(moved[0], grid)
    comes_from = (moved[1] - grid)[:, :, 0]
    middle = SIDE // 2
    assert comes_from[round(0.35 * SIDE), middle] < -0.05  # From the left.
    assert not comes_from[round(0.95 * SIDE) :].any() and not comes_from[:, [0, -1]].any()


def test_heads_lean_with_their_own_mouths():
    assert not lean(np.zeros(50), 9.0).any()
    opening = np.zeros(75)
    opening[30:45] = OPEN
    angles = np.degrees(lean(opening, 9.0))
    assert 30 <= angles.argmax() < 45 and 7 < angles.max() <= 9 and angles[0] == pytest.approx(0, abs=1e-6)
    assert np.allclose(lean(opening, -9.0), -lean(opening, 9.0))


def test_a_leaning_head_is_as_fast_as_it_leans(data):
    labels = next(read_clips(data, TRAIN)).labels
    still = replace(labels, poses=np.tile(np.eye(4), (75, 1, 1)))
    steady = np.radians(0.3 * np.arange(75))
    assert head_speed(turned(still, steady)) == pytest.approx(np.full(75, 0.3), rel=1e-3)


def test_swayed_variants_have_other_pictures_boxes_and_speeds(data):
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    chosen = gather.variants(filmed)
    share = np.mean([variant.sway > 0 for variant in chosen])
    assert share == pytest.approx(gather.SWAYED, abs=0.15) and max(v.sway for v in chosen) <= gather.FARTHEST
    filmed = [replace(clip, clip=replace(clip.clip, labels=opened(clip.clip.labels))) for clip in filmed]
    plain = gather.Variant(0, Person(), Framing(), 0, 1.0)
    leaning = replace(plain, sway=9.0)
    pictures, faces, _ = gather.shown(filmed, leaning)
    still, boxes, _ = gather.shown(filmed, plain)
    assert pictures.shape == still.shape and not torch.equal(pictures, still) and not torch.allclose(faces, boxes)
    part = slice(3, 6)
    assert torch.equal(gather.shown(filmed, leaning, part)[0], pictures[part])
    assert gather.speed_of(filmed, leaning).mean() > 2 * gather.speed_of(filmed, plain).mean()


def opened(labels: Labels) -> Labels:
    """A still head whose mouth opens and closes."""
    wave = OPEN * np.sin(np.linspace(0, 3 * np.pi, len(labels.opening))).clip(0)
    poses = np.tile(np.eye(4), (len(wave), 1, 1))
    return replace(labels, opening=wave, poses=poses, speed=np.full(len(wave), 0.01))


def test_levels_are_speech_levels():
    quiet = np.concatenate([np.zeros(16000, np.float32), 0.1 * tone(2.0)]).astype(np.float32)
    measured = levels(torch.from_numpy(np.stack([quiet, 3 * quiet])))[:, 0]
    assert measured.tolist() == pytest.approx([speech_level(quiet), 3 * speech_level(quiet)], rel=0.05)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three clips of one person, two of another and one of a third, as GRID's file names tell them apart."""
    files = ("bbaf2n.mp4", "lgaz8p.mp4", "swab8p.mp4", "s26_bgbsza.mp4", "s26_lbbo3n.mp4", "grid_brbk7n.mp4")
    return write_dataset(tmp_path_factory.mktemp("mini") / "data", clips=6, files=files)


def test_everybody_has_a_share(data):
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    assert [clip.main for clip in filmed] == [True] * 3 + [False] * 3
    chosen = gather.variants(filmed)
    share = [sum(v.share for v in chosen if v.source == number) for number in range(6)]
    main, rest = gather.MAIN_SHARE + gather.MADE_SHARE, 1 - gather.MAIN_SHARE - gather.MADE_SHARE
    assert share[:3] == pytest.approx([main / 3] * 3)
    assert share[3:] == pytest.approx([rest * part / (1 + 2**0.5) for part in (0.5**0.5, 0.5**0.5, 1)])
    by_group = {}
    for variant in chosen:
        by_group.setdefault(variant.group, []).append(variant)
    for group in by_group.values():
        assert len({(v.source, v.host) for v in group}) == 1 and all(v.person == group[0].person for v in group)
        assert len({v.framing for v in group}) == len(group)


def test_hosts_are_other_people(data):
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    hosted = [v for v in gather.variants(filmed) if v.host is not None]
    assert {filmed[v.host].person for v in hosted} == {"s26", "grid_brbk7n.mp4"}
    assert not any(filmed[v.host].person == filmed[v.source].person for v in hosted)
    for variant in hosted[:4]:
        pictures, faces, mouths = gather.shown(filmed, variant)
        assert pictures.shape == filmed[variant.source].pictures.shape and len(faces) == len(mouths) == len(pictures)
        alone = gather.shown(filmed, replace(variant, host=None))
        assert not torch.equal(pictures, alone[0]) and torch.equal(mouths, alone[2])


def test_a_limit_keeps_the_others(data):
    filmed = gather.film(data, TRAIN, torch.device("cpu"), 1)
    assert [clip.main for clip in filmed] == [True] + [False] * 3


@pytest.mark.slow
def test_every_stage_in_one_go(data, tmp_path, monkeypatch):
    """The whole script, on a network of the tests' size."""
    monkeypatch.setattr(train, "MINI", replace(TINY, name="emo-mini"))
    encoder = AudioEncoder.from_config(CONFIG.audio)
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors", {"config": CONFIG.audio.encoder})
    arguments = ["train", "--data", str(data.folder), "--encoder", str(tmp_path / "encoder.safetensors"), "--out", str(tmp_path), "--hours", "0.002", "--precision", "no",
                 "--device", "cpu", "--set", "batch=2"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", arguments)
    train.main()
    for name, scale, steps in (
        ("emo-mini", train.AUDIO_SCALE, TINY.diffusion.steps),
        ("emo-mini-few", 1.0, train.FEW_STEPS),
    ):
        model = load_checkpoint(tmp_path / f"{name}.safetensors")
        diffusion = model.config.diffusion
        assert (model.config.name, diffusion.audio_scale, diffusion.steps) == (name, scale, steps)
        assert model.vae is not None and model.audio_encoder is not None
        assert model.config.temporal.anchor == train.ANCHOR

    # And further from there; at rate 0 nothing changes, because the student is base + (few - base).
    arguments = ["train", "--data", str(data.folder), "--init", str(tmp_path), "--out", str(tmp_path / "further"), "--hours", "0.0005", "--limit", "2", "--people", "1",
                 "--precision", "no", "--device", "cpu", "--set", "batch=2", "--set", "learning_rate=0.0"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", arguments)
    train.main()
    for name in ("emo-mini", "emo-mini-few"):
        before, after = (load_checkpoint(folder / f"{name}.safetensors") for folder in (tmp_path, tmp_path / "further"))
        assert after.config == before.config
        for part in ("emo", "vae", "audio_encoder"):
            new, old = getattr(after, part).state_dict(), getattr(before, part).state_dict()
            assert all(torch.allclose(new[key], old[key], atol=2e-3) for key in old), part


def test_further_trained_weights_are_averaged():
    torch.manual_seed(0)
    before, after = EMO(CONFIG), EMO(CONFIG)
    averaged, old, new = train.average(before, after).state_dict(), before.state_dict(), after.state_dict()
    plain, speed = "backbone.conv_in.weight", "speed_encoder.mlp.0.weight"
    assert torch.allclose(averaged[plain], train.NEW_SHARE * new[plain] + (1 - train.NEW_SHARE) * old[plain], atol=1e-6)
    assert torch.equal(averaged[speed], new[speed])


GUIDED = [f"recipes.emo_mini.guide_{name}" for name in ("gather", "gather", "gather", "decoder", "train")]


def test_the_recipe_names_every_command(tmp_path, monkeypatch, capsys):
    for folder in ("grid", "others"):
        (tmp_path / folder).mkdir()
    (tmp_path / "grid" / "bbaf2n.mp4").touch()
    monkeypatch.setattr(sys, "argv", ["make", "--grid", str(tmp_path / "grid"), "--others", str(tmp_path / "others"),
                                      "--guides", str(tmp_path), "--work", str(tmp_path / "w"), "--out", str(tmp_path), "--dry-run"])  # fmt: skip
    make.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["emo_core", "recipes.emo_mini.voices", "recipes.emo_mini.audio", "recipes.emo_mini.train", "recipes.emo_mini.train", "recipes.emo_mini.finetune_decoder", "recipes.emo_mini.finetune_rollout", "recipes.emo_mini.finetune_decoder", *GUIDED]  # fmt: skip
    assert "bbaf2n.mp4" in lines[0]


def test_shipped_files_say_where_they_come_from():
    for path in (EMO_MINI, EMO_MINI_FEW):
        about = read_metadata(path)
        assert "CC BY 4.0" in about["licence"] and json.loads(about["config"])["name"] == path.stem
