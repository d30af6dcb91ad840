"""The order of samples: the seed's alone, whatever the number of processes, workers and restarts."""

import math
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import torch

from emo_core.dataset.shards import TRAIN, Dataset, read_clips
from emo_core.dataset.tar_index import places
from emo_core.emo.training.batches import Batches, Order, check_dataset, load_batches
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.stages import STAGES
from emo_core.errors import InputError
from tests.conftest import CONFIG
from tests.synthetic import write_dataset

STAGE = STAGES["2"].with_options({"batch": 2, "workers": 0})


def take(dataset, count, stage=STAGE, **place):
    return list(islice(load_batches(Batches(dataset, Sampler(CONFIG, stage), **place)), count))


def same(a, b) -> bool:
    return (
        a.keys == b.keys
        and all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("latents", "noise", "timesteps", "weight"))
        and torch.equal(a.conditions["face_region"], b.conditions["face_region"])
    )


def test_two_processes_see_what_one_sees(dataset):
    one = take(dataset, 6)
    single = STAGE.with_options({"batch": 1})
    halves = [take(dataset, 6, single, rank=rank, processes=2) for rank in range(2)]
    for whole, first, second in zip(one, *halves, strict=True):
        assert whole.keys == first.keys + second.keys
        assert torch.equal(whole.noise, torch.cat([first.noise, second.noise]))


@pytest.mark.parametrize("consumed", [1, 5, 13])
def test_a_restart_repeats_nothing_and_skips_nothing(dataset, consumed):
    whole = take(dataset, consumed + 4)
    rest = take(dataset, 4, consumed=consumed)
    assert all(same(a, b) for a, b in zip(whole[consumed:], rest, strict=True))


def test_a_restart_with_worker_processes(dataset):
    stage = STAGE.with_options({"workers": 2})
    whole, rest = take(dataset, 5, stage), take(dataset, 2, stage, consumed=3)
    assert all(same(a, b) for a, b in zip(whole[3:], rest, strict=True))


def test_the_number_of_workers_changes_nothing(dataset):
    none, two = (take(dataset, 7, STAGE.with_options({"workers": count})) for count in (0, 2))
    assert all(same(a, b) for a, b in zip(none, two, strict=True))


def test_an_epoch_shows_every_clip_once_in_new_order(dataset):
    order = Order(dataset, 0)
    keys = [order.members(number)["__key__"] for number in range(12)]
    assert sorted(keys[:6]) == sorted(keys[6:]) and len(set(keys[:6])) == 6
    assert keys[:6] != keys[6:]


@pytest.mark.parametrize("batch", [2, 5])
def test_a_clip_is_drawn_as_often_as_any_other(tmp_path, batch):
    """Whether it lies alone in its shard, or with many; with fewer shards than places in the batch, or more."""
    dataset = write_dataset(tmp_path, sizes=(1, 7, 1, 1), held_out=0)
    batches = take(dataset, 30 // batch, STAGE.with_options({"batch": batch}))
    counts = Counter(key for found in batches for key in found.keys)
    assert len(counts) == 10 and set(counts.values()) == {3}


def test_held_out_clips_are_not_trained_on(dataset):
    keys = {key for batch in take(dataset, 20) for key in batch.keys}
    assert "clip6-000" not in keys and len(keys) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 128}, "has 128 pixels at 25 fps, the model 64 at 25; prepare it with --size 64"),
        ({"fps": 30.0}, "has 64 pixels at 30 fps"),
        ({"shortest": 3}, "has a clip of 3 frames, a sample takes 4"),
        ({"shards": ()}, "no clips to train on"),
    ],
)
def test_a_dataset_that_does_not_fit(plain, changes, message):
    from dataclasses import replace

    with pytest.raises(InputError, match=message):
        check_dataset(replace(plain, **changes), CONFIG, CONFIG.temporal.frames)


@pytest.mark.parametrize("left", ["half", "no header", "one clip"])
def test_a_broken_shard_is_named(tmp_path, left):
    """Cut off between two clips, a tar looks whole."""
    dataset = write_dataset(tmp_path, clips=2, held_out=0)
    file = tmp_path / dataset.shards[0].name
    first = max(start + size for start, size in places(file)[0].members.values())
    length = {"half": 3000, "no header": 100, "one clip": math.ceil(first / 512) * 512}[left]
    file.write_bytes(file.read_bytes()[:length])
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"^data: .*train-000000\.tar is damaged .*copy it again, or prepare"):
            take(dataset, 3, STAGE.with_options({"workers": workers}))
    with pytest.raises(InputError, match=r"train-000000\.tar is damaged"):
        list(read_clips(dataset, TRAIN))


def test_a_colon_in_a_path_is_no_protocol(tmp_path, monkeypatch):
    """As in every path of Windows."""
    monkeypatch.chdir(tmp_path)
    dataset = write_dataset(Path("take:2"), clips=2, held_out=0)
    assert [clip.key for clip in read_clips(dataset, TRAIN)] == ["clip0-000", "clip1-000"]
    assert len(take(dataset, 3)) == 3


def test_datasets_that_cannot_be_opened(tmp_path):
    with pytest.raises(InputError, match=r"no dataset\.json in"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text('{"format": "emo-dataset-9", "shards": []}')
    with pytest.raises(InputError, match="not of format"):
        Dataset.open(tmp_path)
    dataset = write_dataset(tmp_path / "whole", clips=2, held_out=0)
    (tmp_path / "whole" / dataset.shards[0].name).unlink()
    with pytest.raises(InputError, match="lacks 1 of its shards"):
        Dataset.open(tmp_path / "whole")
    assert Dataset.open(write_dataset(tmp_path / "again").folder).shards[0].sources


def test_a_batch_has_speeds_or_has_none(dataset):
    """All its places agree, and so do processes."""
    stage = STAGES["3"].with_options({"batch": 2, "workers": 0, "drop": {"speed": 0.5}})
    batches = iter(Batches(dataset, Sampler(CONFIG, stage)))
    whole = [next(batches).conditions.get("speed") for _ in range(20)]
    assert 4 < sum(speed is None for speed in whole) < 16
    one = stage.with_options({"batch": 1})
    for rank in range(2):
        half = iter(Batches(dataset, Sampler(CONFIG, one), rank=rank, processes=2))
        for speed in whole:
            own = next(half).conditions.get("speed")
            assert own is None if speed is None else bool((own[0] == speed[rank]).all())
