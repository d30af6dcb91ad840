"""Labels of films from names and tables."""

from pathlib import Path

import numpy as np
import pytest

from emo_core.emote.training.labels import label_of, read_labels
from emo_core.emotion import EXPRESSIVE
from emo_core.errors import InputError

FOLDER = Path("films")


def emotion_of(label):
    if label.emotion is None:
        return None
    return {n: round(float(v), 2) for n, v in zip(EXPRESSIVE, label.emotion, strict=True) if v}


@pytest.mark.parametrize(
    ("name", "person", "emotion"),
    [
        ("1001_DFA_ANG_HI.mp4", "1001", {"anger": 1.0}),
        ("1001_IEO_SAD_LO.flv", "1001", {"sad": 0.4}),
        ("1001_DFA_NEU_XX.flv", "1001", {}),
        ("M003/video/front/disgusted/level_2/007.mp4", "M003", {"disgust": 0.7}),
        ("W009_front_surprised_level3_001.mp4", "W009", {"surprise": 1.0}),
        ("happy/anna.mp4", "person", {"happy": 1.0}),
        ("anna/monday.mp4", "anna", None),
        ("holiday.mp4", "holiday", None),
    ],
)
def test_names_tell(name, person, emotion):
    label = label_of(FOLDER / name, FOLDER)
    assert (label.person, emotion_of(label)) == (person, emotion)


def table(tmp_path, text):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text(text)
    return read_labels(tmp_path / "labels.csv", tmp_path, [tmp_path / "a.mp4", tmp_path / "b.mp4"])


def test_a_table_tells(tmp_path):
    found = table(tmp_path, "file,emotion,level,person\na.mp4,Angry,2,ann\nb.mp4,,,\n")
    assert [emotion_of(found[tmp_path / name]) for name in ("a.mp4", "b.mp4")] == [{"anger": 0.7}, None]
    assert found[tmp_path / "a.mp4"].person == "ann"
    np.testing.assert_allclose(
        table(tmp_path, "file,emotion,strength\na.mp4,sad,1.2\n")[tmp_path / "a.mp4"].emotion.max(), 1.2
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,emotion\nc.mp4,sad\n", "c.mp4"),
        ("file,emotion\na.mp4,sadd\n", "did you mean sad"),
        ("name,emotion\na.mp4,sad\n", "file,emotion"),
        ('file,emotion\na.mp4,"0:sad,1:fear"\n', "one emotion for a film"),
        ("", "no rows"),
        ("file,emotion,level\na.mp4,sad,9\n", "level '9'"),
        ("file,emotion,strength\na.mp4,sad,nan\n", "strength: got nan"),
    ],
)
def test_wrong_tables_are_told(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        table(tmp_path, text)
