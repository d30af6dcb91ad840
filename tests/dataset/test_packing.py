"""Packing of finished sources: the user's files stay, no clip is packed twice."""

from pathlib import Path

import pytest

from emo_core.dataset import prepare as preparing
from emo_core.dataset.clip_cutting import Piece, Recipe
from emo_core.dataset.packing import Split, pack, report_of
from emo_core.dataset.prepare import prepare, source_key
from emo_core.dataset.shards import Dataset, write_clips
from emo_core.errors import InputError
from emo_core.files import temporary_name, write_json
from tests.synthetic import FPS, SIZE, draw_clip

RECIPE = Recipe(fps=FPS, size=SIZE)
ALL = Split(0.0, ())


def pend(out, *keys):
    """Write the clips and the report of every source, as a worker does."""
    for folder in ("reports", "pending"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for number, key in enumerate(keys):
        write_clips(out / "pending" / f"{key}.tar", [draw_clip(f"{key}-000", seed=number)])
        write_json(report_of(out, key), {"file": f"/videos/{key}.mp4", "pieces": []})


def test_only_files_of_shard_names_are_removed(tmp_path):
    users = ["backup.tar", "train-old.tar", "my-train-000007.tar", "held-out-1.tar", ".backup.part.tar"]
    strays = ["train-000007.tar", "held-out-000008.tar", temporary_name(tmp_path / "train-000009.tar").name]
    for name in users + strays:
        (tmp_path / name).write_bytes(b"something")
    pend(tmp_path, "a", "b")
    dataset = pack(tmp_path, RECIPE, ALL)
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {*users, "dataset.json", *(shard.name for shard in dataset.shards)}
    assert Dataset.open(tmp_path).clips("train") == 2


@pytest.mark.parametrize("finished", [True, False])
def test_prepare_refuses_the_folder_of_a_cache(dataset, tmp_path, finished):
    """Also of one that was stopped before its dataset.json."""
    for path in dataset.folder.iterdir():
        if path.name != ("dataset.json" if finished else "cache.txt"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError, match="holds a dataset that `prepare` did not make, such as a cache"):
        prepare([tmp_path / "video.mp4"], tmp_path, RECIPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.fixture
def prepared(monkeypatch):
    """`prepare` with a drawn clip for every video; gives the names of the prepared videos."""
    names = []

    def draw(path, key, recipe, detector):
        names.append(path.name)
        return iter([(Piece(0.0, 0.8, ""), draw_clip(f"{key}-000"))])

    monkeypatch.setattr(preparing, "prepare_video", draw)
    monkeypatch.setattr(preparing, "make_detector", lambda *args, **kwargs: None)
    return names


def videos(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode() * 100)
    return [folder / name for name in names]


def test_a_moved_or_renamed_video_is_not_prepared_again(prepared, tmp_path, capsys):
    prepare(videos(tmp_path / "a", "one.mp4", "two.mp4"), tmp_path / "out", RECIPE, held_out=0)
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "b" / "two.mp4").rename(tmp_path / "b" / "second.mp4")
    moved = sorted((tmp_path / "b").iterdir())
    copies = [*moved, *videos(tmp_path / "b", "three.mp4")]
    (tmp_path / "b" / "copy.mp4").write_bytes((tmp_path / "b" / "three.mp4").read_bytes())
    assert prepare([*copies, tmp_path / "b" / "copy.mp4"], tmp_path / "out", RECIPE, held_out=0).kept == 3
    assert prepared == ["one.mp4", "two.mp4", "three.mp4"]
    assert f"copy.mp4: left out, the same as {tmp_path / 'b' / 'three.mp4'}" in capsys.readouterr().err
    assert Dataset.open(tmp_path / "out").clips("train") == 3


def test_videos_of_one_name_and_different_content_are_both_prepared(prepared, tmp_path):
    first, second = (tmp_path / folder / "bbaf2n.mp4" for folder in ("s1", "s2"))
    for number, path in enumerate((first, second)):
        path.parent.mkdir()
        path.write_bytes(bytes([number]) * 100)
    assert prepare([first, second], tmp_path / "out", RECIPE, held_out=0).kept == 2


def test_a_missing_video_has_a_key(tmp_path):
    assert source_key(tmp_path / "none.mp4") != source_key(Path("none.mp4"))


def test_a_training_video_cannot_be_held_out_later(prepared, tmp_path):
    files = videos(tmp_path / "a", "s1_a.mp4", "s2_a.mp4", "s2_b.mp4")
    prepare(files[:2], tmp_path / "out", RECIPE, hold_out=("s1_*",))
    for again in ("s1_*", "s3_*"):
        prepare(files[:2], tmp_path / "out", RECIPE, hold_out=(again,))
    with pytest.raises(InputError, match=r"already trains on 1 of these videos \(s2_a.mp4"):
        prepare(files, tmp_path / "out", RECIPE, hold_out=("s2_*",))
    renamed = files[1].rename(tmp_path / "a" / "s26_a.mp4")
    with pytest.raises(InputError, match=r"already trains on 1 of these videos \(s2_a.mp4"):
        prepare([renamed], tmp_path / "out", RECIPE, hold_out=("s26_*",))
    assert prepared == ["s1_a.mp4", "s2_a.mp4"]
    next((tmp_path / "out" / "reports").glob("s2_a*")).unlink()
    with pytest.raises(InputError, match=r"^reports: no file at .*the folder that `prepare` wrote"):
        prepare([renamed], tmp_path / "out", RECIPE, hold_out=("s26_*",))


def test_of_two_copies_the_held_out_one_counts(prepared, tmp_path):
    first, other = videos(tmp_path / "a", "a.mp4", "b.mp4")
    copy = tmp_path / "a" / "s26_a.mp4"
    copy.write_bytes(first.read_bytes())
    prepare([first, other, copy], tmp_path / "out", RECIPE, hold_out=("s26_*",))
    dataset = Dataset.open(tmp_path / "out")
    assert (dataset.clips("train"), dataset.clips("held-out")) == (1, 1)
    assert sorted(prepared) == ["b.mp4", "s26_a.mp4"]


def test_videos_with_the_same_start_have_different_keys(tmp_path):
    """They differ in the middle or at the end only, as after a fade from black."""
    keys = set()
    for place in (None, 3 * 2**20, 6 * 2**20 - 1):
        content = bytearray(6 * 2**20)
        if place is not None:
            content[place] = 1
        (tmp_path / "a.avi").write_bytes(content)
        keys.add(source_key(tmp_path / "a.avi"))
    assert len(keys) == 3
