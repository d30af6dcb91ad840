"""Face embeddings from files."""

import numpy as np
import pytest

from emo_core.config import HALLO, MINI
from emo_core.errors import InputError
from emo_core.face.identity import load_identity


def test_an_embedding(tmp_path):
    np.save(tmp_path / "me.npy", np.arange(512, dtype=np.float64)[None])
    found = load_identity(tmp_path / "me.npy", HALLO)
    assert found.shape == (512,)
    assert float(found[3]) == 3


def test_nobody_is_said_aloud(caplog):
    assert load_identity(None, HALLO) is None
    assert "the likeness comes from the picture alone" in caplog.text
    caplog.clear()
    assert load_identity(None, MINI) is None
    assert caplog.text == ""


def test_what_is_none(tmp_path):
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
