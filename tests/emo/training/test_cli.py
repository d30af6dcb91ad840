"""Arguments that the command line refuses before it trains."""

import pytest

from emo_core.__main__ import main
from emo_core.training.log import read_log
from tests.synthetic import of_size, write_dataset


@pytest.fixture
def untrained(monkeypatch):
    """Training would be an error."""

    def never(*args, **kwargs):
        raise AssertionError("it trains")

    for name in ("autoencoder_cli.train_autoencoder", "cli.train"):
        monkeypatch.setattr(f"emo_core.emo.training.{name}", never)


def command(stage, data, checkpoint):
    return ["train", "--stage", stage, "--data", str(data.folder), "--init", str(checkpoint), "--max-steps", "1"]


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("option", [("--precision", "bf16"), ("--adversarial", "0.3"), ("--decoder-only",)])
@pytest.mark.parametrize("stage", ["1", "2"])
def test_options_of_stage_vae_are_refused_elsewhere(plain, checkpoint, tmp_path, capsys, stage, option):
    assert main([*command(stage, plain, checkpoint), "--out", str(tmp_path), *option]) == 2
    assert f"stage {stage} takes no {option[0]}, which is stage vae's" in capsys.readouterr().err


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("stage", ["2", "vae"])
def test_a_folder_that_takes_no_files_is_refused_first(plain, checkpoint, tmp_path, capsys, stage):
    (tmp_path / "file").touch()
    assert main([*command(stage, plain, checkpoint), "--out", str(tmp_path / "file" / "run")]) == 2
    assert "out: cannot write" in capsys.readouterr().err


@pytest.mark.usefixtures("untrained")
def test_stage_vae_requires_pictures_of_the_models_size(checkpoint, tmp_path, capsys):
    other = of_size(write_dataset(tmp_path / "data"), size=128)
    base = ["train", "--stage", "vae", "--data", str(other.folder), "--init", str(checkpoint), "--max-steps", "1"]
    assert main([*base, "--out", str(tmp_path / "run")]) == 2
    assert "has 128 pixels at 25 fps, the model 64" in capsys.readouterr().err


@pytest.mark.slow
def test_numbers_of_training_clips_are_not_called_validation(checkpoint, tmp_path, capsys):
    """They are called seen_..., with one line that says so."""
    alone = write_dataset(tmp_path / "data", clips=2, held_out=0)
    small = [f"--set={name}" for name in ("batch=2", "workers=0", "validate_every=1", "validation_steps=1")]
    base = ["train", "--stage", "2", "--data", str(alone.folder), "--init", str(checkpoint), "--max-steps", "2"]
    assert main([*base, "--out", str(tmp_path / "run"), *small]) == 0
    assert capsys.readouterr().err.count("nothing is held out") == 1
    names = {name for line in read_log(tmp_path / "run") for name in line}
    assert "trained_loss" in names and not any(name.startswith("validation") for name in names)
