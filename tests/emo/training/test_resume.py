"""Files and options of a run's first start stay with it when it is resumed and exported."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emo_core.__main__ import main
from emo_core.emo.training.export import export, run_config, write_run
from emo_core.emo.training.stages import options_of
from emo_core.emo.weights.checkpoint import load_checkpoint, save_checkpoint
from emo_core.errors import InputError
from emo_core.training import checkpoints
from tests.emo.training.test_train import STAGE, run


def test_a_resumed_run_keeps_its_config(dataset, checkpoint, tmp_path):
    """Though the dataset has grown since, or --fresh is not given again."""
    base = ["train", "--stage", "3", "--init", str(checkpoint), "--out", str(tmp_path / "run"), "--set", "batch=2", "--set", "workers=0", "--set", "validate_every=0"]  # fmt: skip
    assert main([*base, "--data", str(dataset.folder), "--max-steps", "1", "--fresh"]) == 0
    config = run_config(checkpoints.latest(tmp_path / "run"))
    folder = tmp_path / "grown"
    shutil.copytree(dataset.folder, folder)
    replace(dataset, folder=folder, face_share=0.77, speed_quantiles=tuple(9 * q for q in dataset.speed_quantiles)).save()  # fmt: skip
    assert main([*base, "--data", str(folder), "--max-steps", "2", "--resume"]) == 0
    assert run_config(checkpoints.latest(tmp_path / "run")) == config
    assert checkpoints.read_progress(checkpoints.latest(tmp_path / "run")).step == 2


def test_export_has_the_encoder_of_training(dataset, checkpoint, tmp_path):
    model = load_checkpoint(checkpoint)
    other = tmp_path / "wav2vec2"
    torch.manual_seed(5)
    encoder = type(model.audio_encoder).from_config(model.config.audio)
    encoder.net.save_pretrained(other)
    run(dataset, checkpoint, tmp_path / "run", 1)
    write_run(tmp_path / "run", checkpoint, other, options_of(STAGE), dataset.folder)
    export(tmp_path / "run", tmp_path / "out.safetensors", dtype=torch.float32)
    exported = load_checkpoint(tmp_path / "out.safetensors").audio_encoder.state_dict()
    assert all(torch.allclose(exported[name], value) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.bin", "custom_checkpoint_0.pkl", "progress.json"])
@pytest.mark.parametrize("left", [0, pytest.param(0.5, marks=pytest.mark.slow)])
def test_a_damaged_checkpoint_names_an_earlier_one(dataset, checkpoint, tmp_path, name, left):
    """As a disk that was full or lost its power leaves it."""
    run(dataset, checkpoint, tmp_path, 2, STAGE.with_options({"save_every": 1}))
    earlier, newest = checkpoints.checkpoints(tmp_path)
    content = (newest / name).read_bytes()
    (newest / name).write_bytes(content[: int(left * len(content))])
    with pytest.raises(
        InputError, match=rf"{newest.name} is damaged.*remove the folder {newest.name} to go on from {earlier.name}"
    ):
        run(dataset, checkpoint, tmp_path, 3, resume=True)
    shutil.rmtree(newest)
    assert run(dataset, checkpoint, tmp_path, 3, resume=True).step == 3


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(dataset, checkpoint, tmp_path, monkeypatch):
    flushed, rename = [], Path.rename
    monkeypatch.setattr(
        "emo_core.training.checkpoints.os.fsync", lambda number: flushed.append(os.fstat(number).st_ino)
    )

    def renamed(path, target):
        assert {file.stat().st_ino for file in path.iterdir()} <= set(flushed)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    run(dataset, checkpoint, tmp_path, 1)
    assert len(checkpoints.checkpoints(tmp_path)) == 1


def test_a_run_is_resumed_with_its_first_checkpoint(dataset, checkpoint, tmp_path, capsys):
    """It may have moved; the encoders of another one would not fit the trained network."""
    options = [f"--set={name}" for name in ("batch=2", "workers=0", "validate_every=0")]
    base = ["train", "--stage", "2", "--data", str(dataset.folder), "--out", str(tmp_path / "run"), *options]
    assert main([*base, "--init", str(checkpoint), "--max-steps", "1"]) == 0
    moved, other = tmp_path / "moved.safetensors", tmp_path / "other.safetensors"
    shutil.copy(checkpoint, moved)
    model = load_checkpoint(checkpoint)
    parts = {"emo": model.emo, "vae": model.vae, "audio_encoder": model.audio_encoder}
    save_checkpoint(other, model.config, parts, dtype=torch.float32, notes={"licence": "another"})
    assert main([*base, "--init", str(other), "--max-steps", "2", "--resume"]) == 2
    assert "other.safetensors is another checkpoint; keep it" in capsys.readouterr().err
    assert main([*base, "--init", str(tmp_path / "gone"), "--max-steps", "2", "--resume"]) == 2
    assert "no file at" in capsys.readouterr().err
    assert main([*base, "--init", str(moved), "--max-steps", "2", "--resume"]) == 0
