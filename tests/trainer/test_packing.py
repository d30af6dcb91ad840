"""Clips of done sources into shards: nothing of the user's is touched, nothing is packed twice."""

import pytest

from emo_core.errors import InputError
from emo_core.trainer.packing import Split, pack, report_of
from emo_core.trainer.prepare import Recipe
from emo_core.trainer.preparing import prepare
from emo_core.trainer.shards import Dataset, write_clips, write_json
from tests.trainer.synthetic import FPS, SIZE, draw_clip

RECIPE = Recipe(fps=FPS, size=SIZE)
ALL = Split(0.0, ())


def pend(out, *keys):
    """What a worker leaves behind for every source."""
    for folder in ("reports", "pending"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for number, key in enumerate(keys):
        write_clips(out / "pending" / f"{key}.tar", [draw_clip(f"{key}-000", seed=number)])
        write_json(report_of(out, key), {"file": f"/videos/{key}.mp4", "pieces": []})


def test_only_leftovers_of_its_own_names_go(tmp_path):
    users = ["backup.tar", "train-old.tar", "my-train-000007.tar", "held-out-1.tar", ".backup.tar.part"]
    strays = ["train-000007.tar", "held-out-000008.tar", ".train-000009.tar.part"]
    for name in users + strays:
        (tmp_path / name).write_bytes(b"something")
    pend(tmp_path, "a", "b")
    dataset = pack(tmp_path, RECIPE, ALL)
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {*users, "dataset.json", *(shard.name for shard in dataset.shards)}
    assert Dataset.open(tmp_path).clips("train") == 2


@pytest.mark.parametrize("begun", [True, False])
def test_a_cache_is_no_place_to_prepare_in(dataset, tmp_path, begun):
    """Neither a whole one nor one that was stopped before its dataset.json."""
    for path in dataset.folder.iterdir():
        if path.name != ("dataset.json" if begun else "cache.txt"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError, match="holds a dataset that `prepare` did not make, such as a cache"):
        prepare([tmp_path / "video.mp4"], tmp_path, RECIPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
