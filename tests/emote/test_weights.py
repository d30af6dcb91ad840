import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from emo_core.emote.config import EmoteConfig
from emo_core.emote.speak import SpeakRequest, speak
from emo_core.emote.weights import EMOTE_MINI, load_emote, save_emote
from emo_core.errors import CheckpointError, InputError


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "emote.safetensors"
    save_emote(path, model.config, model.encoder, model.content, model.bank, notes={"licence": "test"})
    return path


def changed(file, change):
    """Write the file again with other weights or metadata."""
    with safe_open(file, "pt") as stored:
        metadata = stored.metadata()
        weights = {key: stored.get_tensor(key) for key in stored.keys()}
    change(weights, metadata)
    save_file(weights, file, metadata)
    return file


def test_a_saved_model_speaks_as_before(model, file, sound):
    loaded = load_emote(file, rig=model.rig)
    assert loaded.config == model.config
    first, second = (speak(sound, one, SpeakRequest()) for one in (model, loaded))
    np.testing.assert_allclose(first.coefficients, second.coefficients, atol=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, m: w.pop("content.linear.bias"), r"1 missing \(content.linear.bias\)"),
        (lambda w, m: w.update(more=torch.zeros(1)), r"1 unknown \(more\)"),
        (lambda w, m: w.update({"content.linear.bias": torch.zeros(3)}), "1 misshaped"),
        (lambda w, m: w["content.linear.bias"].fill_(float("nan")), "not finite"),
        (lambda w, m: w.pop("bank.gaze"), "motion bank"),
        (lambda w, m: w.update({"bank.gaze": torch.zeros(2, 2)}), "motion bank is broken"),
        (lambda w, m: m.update(format="emo-1"), "another kind of file"),
        (lambda w, m: m.update(config="{"), "config cannot be used"),
        (lambda w, m: m.update(config=json.dumps({**json.loads(m["config"]), "heads": 7})), "heads=7"),
        (lambda w, m: m.update(config=json.dumps({**json.loads(m["config"]), "width": 10**9})), "width"),
    ],
)
def test_damaged_files_are_refused(file, change, message):
    with pytest.raises(CheckpointError, match=message):
        load_emote(changed(file, change))


def test_no_file_and_a_cut_file(file, tmp_path):
    with pytest.raises(InputError, match="emote: no file at"):
        load_emote(tmp_path / "none.safetensors")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        load_emote(file)


def test_a_config_survives_json():
    assert EmoteConfig.from_json(EmoteConfig().to_json()) == EmoteConfig()


@pytest.mark.skipif(not EMOTE_MINI.is_file(), reason="models/emote-mini.safetensors is not there")
def test_the_packs_own_model():
    model = load_emote()
    assert EMOTE_MINI.stat().st_size < 12e6
    assert model.config.styles[0] == "average"
