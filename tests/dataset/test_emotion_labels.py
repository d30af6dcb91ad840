"""Emotions of a dataset's clips: read from a table, written into the shards, refused where the table is wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest

from emo_core.__main__ import main
from emo_core.dataset.emotion_labels import COLUMN, emotions_of, label_emotions, read_table
from emo_core.dataset.packing import report_of
from emo_core.dataset.shards import TRAIN, Dataset, read_clips, read_members, write_clips
from emo_core.emotion import EXPRESSIVE
from emo_core.errors import InputError
from tests.felt import FRAMES, felt_dataset

HAPPY, SAD = (EXPRESSIVE.index(name) for name in ("happy", "sad"))


@pytest.fixture
def unlabelled(tmp_path):
    return felt_dataset(tmp_path / "data", clips=3, labelled=0)


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "emotions.csv"
        path.write_text(text)
        return path

    return write


def labels_of(dataset):
    return [clip.labels for clip in read_clips(dataset, TRAIN)]


def test_a_table_labels_clips_and_frames(unlabelled, table, capsys):
    path = table(
        "file,emotion,strength,level\n"
        'clip0-000.mp4,"0:neutral, 0.4:happy",0.5,\n'
        "clip1-000.mp4,sad,,hi\n"
        "clip2-000.mp4,,,\n"
        "clip9-000.mp4,anger,,\n"
    )
    before = [dict(members) for members in read_members(unlabelled.folder / unlabelled.shards[0].name)]
    assert main(["label", str(unlabelled.folder), "--emotions", str(path)]) == 0
    said = capsys.readouterr().out
    assert (
        "clips with happy 1, sad 1; 1 of unknown emotion; 1 lines name no video of it (line 5: clip9-000.mp4)" in said
    )
    dataset = Dataset.open(unlabelled.folder)
    assert dataset.emotions == ("happy", "sad")
    curve, constant, unknown = labels_of(dataset)
    expected = 0.5 * np.clip((np.arange(FRAMES) + 0.5) / 25 / 0.4, 0, 1)
    assert emotions_of(curve)[:, HAPPY] == pytest.approx(expected, abs=1e-3)
    assert emotions_of(constant)[:, SAD].tolist() == [1.0] * FRAMES and not emotions_of(constant)[:, HAPPY].any()
    assert COLUMN not in unknown.others and np.isnan(emotions_of(unknown)).all()
    after = [dict(members) for members in read_members(dataset.folder / dataset.shards[0].name)]
    assert all(a["mp4"] == b["mp4"] and a["flac"] == b["flac"] for a, b in zip(before, after, strict=True))


def test_a_person_is_kept_with_the_clip(unlabelled, table):
    label_emotions(unlabelled, read_table(table("file,emotion,person\nclip0-*,sad,M001\nclip1-*,sad,\n")))
    assert [clip.about.get("person") for clip in read_clips(unlabelled, TRAIN)] == ["M001", None, None]
    label_emotions(unlabelled, read_table(table("file,emotion\nclip0-*,sad\n")))
    assert not any("person" in clip.about for clip in read_clips(unlabelled, TRAIN))


def test_another_table_replaces_the_labels(unlabelled, table):
    for name, left in (("fear", ("fear",)), ("neutral", ())):
        done = label_emotions(unlabelled, read_table(table(f"file,emotion\nclip0-*,{name}\n")))
        assert done.dataset.emotions == left and done.clips == {name: 1} and done.unknown == 2
    first, second, _ = labels_of(done.dataset)
    assert not emotions_of(first).any() and np.isnan(emotions_of(second)).all()


def test_a_curve_counts_from_the_start_of_the_source_video(unlabelled, table):
    clips = list(read_clips(unlabelled, TRAIN))
    later = [replace(clip, about=clip.about | {"start": 4.0}) for clip in clips]
    write_clips(unlabelled.folder / unlabelled.shards[0].name, iter(later))
    label_emotions(unlabelled, read_table(table('file,emotion\n*,"4.39:happy,4.41:sad"\n')))
    assert [int(row.argmax()) for row in emotions_of(labels_of(unlabelled)[0])] == [HAPPY] * 10 + [SAD] * 10


def test_the_end_of_a_path_tells_files_of_one_name_apart(unlabelled, table):
    """As in MEAD, where reports of `prepare` know the folders."""
    for number, folder in enumerate(("angry", "sad", "sad")):
        report = report_of(unlabelled.folder, f"clip{number}")
        report.parent.mkdir(exist_ok=True)
        report.write_text(json.dumps({"file": f"/films/M00{number}/{folder}/001.mp4", "pieces": []}))
    done = label_emotions(unlabelled, read_table(table("file,emotion\nangry/001.mp4,anger\nM001/sad/001.mp4,sad\n")))
    assert done.clips == {"sad": 1, "anger": 1} and done.unknown == 1
    with pytest.raises(InputError, match=r"lines 2 and 3 disagree on /films/M001/sad/001\.mp4; keep one"):
        label_emotions(unlabelled, read_table(table("file,emotion\n001.mp4,sad\nM001/*,fear\n")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows; expected a first line such as file,emotion,strength"),
        ("name,feeling\na,b\n", "has name,feeling; expected a first line"),
        ("file,emotion\na.mp4,\n", "names no emotion"),
        ("file,emotion\na.mp4,hapy\n", r"line 2 of .*: emotion: got 'hapy'.*did you mean happy\?"),
        ("file,emotion,strength\na.mp4,sad,2\n", r"line 2 of .*: strength: got 2; expected 0 \.\. 1\.5"),
        ("file,emotion,strength\na.mp4,sad,nan\n", r"line 2 of .*: strength: got nan"),
        ("file,emotion,strength\na.mp4,sad,much\n", "line 2 of .* has strength 'much'; expected a number"),
        ("file,emotion,level\na.mp4,sad,9\n", "line 2 of .* has level '9'; expected one of 1, 2, 3"),
        ("file,emotion\nother.mp4,sad\n", r"no line names a video of .*data; expected names such as clip0-000\.mp4"),
    ],
)
def test_wrong_tables_say_what_is_right(unlabelled, table, capsys, text, message):
    with pytest.raises(InputError, match=message):
        label_emotions(unlabelled, read_table(table(text)))
    assert all(COLUMN not in labels.others for labels in labels_of(unlabelled))


def test_emotions_of_another_shape_are_refused(unlabelled):
    labels = replace(labels_of(unlabelled)[0], others={COLUMN: np.zeros((FRAMES, 3))})
    with pytest.raises(InputError, match=r"emotions of shape \(20, 3\); expected \(20, 7\); label the dataset again"):
        emotions_of(labels)
