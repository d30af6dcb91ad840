"""Face embeddings from files."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from emo_core.emo.conditions.identity import find_identity, load_identity
from emo_core.emo.config import HALLO, MINI
from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.embedding import embed_face


def test_an_embedding_is_read_from_npy(tmp_path):
    np.save(tmp_path / "me.npy", np.arange(512, dtype=np.float64)[None])
    found = load_identity(tmp_path / "me.npy", HALLO)
    assert found.shape == (512,)
    assert float(found[3]) == 3


PICTURE = np.zeros((64, 64, 3), np.uint8)


def test_without_insightface_a_warning_is_logged(caplog, tmp_path):
    assert find_identity(None, PICTURE, None, HALLO, roots=(tmp_path,)) is None
    assert "put antelopev2's .onnx files into" in caplog.text
    assert "takes the likeness from the picture alone" in caplog.text
    caplog.clear()
    assert find_identity(None, PICTURE, None, MINI, roots=(tmp_path,)) is None
    assert caplog.text == ""


def test_a_file_is_preferred_to_insightface(tmp_path):
    np.save(tmp_path / "me.npy", np.ones(512))
    assert float(find_identity(tmp_path / "me.npy", PICTURE, None, HALLO, roots=()).sum()) == 512


def test_the_embedding_is_of_the_given_face(tmp_path, monkeypatch):
    """insightface is replaced by a class that returns boxes and embeddings for a BGR picture: its models are not installed."""

    class FaceAnalysis:
        def __init__(self, name, root, allowed_modules, providers):
            assert (name, root) == ("antelopev2", str(tmp_path))

        def prepare(self, ctx_id, det_size):
            pass

        def get(self, picture):
            assert picture[0, 0].tolist() == [3, 2, 1]
            boxes = ([0, 0, 10, 10], [20, 20, 60, 60])
            return [SimpleNamespace(bbox=box, embedding=np.full(512, i)) for i, box in enumerate(boxes)]

    monkeypatch.setitem(sys.modules, "insightface", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "insightface.app", SimpleNamespace(FaceAnalysis=FaceAnalysis))
    (tmp_path / "models" / "antelopev2").mkdir(parents=True)
    (tmp_path / "models" / "antelopev2" / "glintr100.onnx").touch()
    picture = PICTURE + np.array([1, 2, 3], np.uint8)
    assert float(embed_face(picture, None, HALLO.identity.embedding, (tmp_path,))[0]) == 1
    assert float(embed_face(picture, Box(1, 1, 9, 9), HALLO.identity.embedding, (tmp_path,))[0]) == 0
    with pytest.raises(InputError, match="does not find that face"):
        embed_face(picture, Box(11, 0, 19, 9), HALLO.identity.embedding, (tmp_path,))


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "short.npy", np.zeros(4))
    np.save(tmp_path / "code.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("me")
    np.save(tmp_path / "me.npy", np.zeros(512))
    for name, message in (
        ("short", "holds 4 numbers; expected 512"),
        ("code", "cannot be read"),
        ("text", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            load_identity(tmp_path / f"{name}.npy", HALLO)
    with pytest.raises(InputError, match="emo-mini reads none"):
        load_identity(tmp_path / "me.npy", MINI)
    with pytest.raises(InputError, match="no file at"):
        load_identity(tmp_path / "gone.npy", HALLO)
