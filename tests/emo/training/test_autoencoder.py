"""Stage vae: the autoencoder trains, alone and against its discriminator, and is resumed bit by bit."""

import os
import shutil
import signal
from dataclasses import replace

import pytest
import torch

from emo_core.__main__ import main
from emo_core.dataset.shards import HELD_OUT, TRAIN
from emo_core.emo.models.vae import VAE
from emo_core.emo.training import autoencoder
from emo_core.emo.training.autoencoder import AutoencoderSettings, train_autoencoder
from emo_core.emo.training.pictures import Pictures, crops, crops_with_latents, read_pictures, read_splits
from emo_core.emo.training.reconstruction import coarse_loss, detail_loss, reconstruction_psnr
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.errors import InputError
from emo_core.training import checkpoints
from emo_core.training.log import read_log
from emo_core.training.loop import TrainingError
from emo_core.training.schedule import Limits
from tests.conftest import CONFIG
from tests.training.test_loop import assert_equal

ADVERSARIAL = AutoencoderSettings(batch=2, adversarial=0.5)


@pytest.fixture
def quick(monkeypatch):
    """A checkpoint and a line of the log at every other step."""
    monkeypatch.setattr(autoencoder, "EVERY", 2)


def fresh_vae() -> VAE:
    torch.manual_seed(0)
    return VAE(CONFIG.vae)


def test_the_autoencoder_learns(plain):
    torch.manual_seed(0)
    vae = VAE(CONFIG.vae)
    pictures = read_pictures(plain, HELD_OUT)
    before = reconstruction_psnr(vae, pictures).picture
    psnr = train_autoencoder(vae, read_splits(plain), Limits(steps=120), AutoencoderSettings(batch=4))
    assert psnr.picture > before + 3
    assert not any(p.requires_grad for p in vae.parameters())


def test_the_decoder_alone_leaves_latents_as_they_are(plain):
    torch.manual_seed(0)
    vae = VAE(CONFIG.vae)
    image = torch.rand(1, 3, 64, 64)
    before = vae.encode(image).detach()
    settings = AutoencoderSettings(batch=2, decoder_only=True, adversarial=0.5)
    train_autoencoder(vae, read_splits(plain), Limits(steps=5), settings)
    assert torch.equal(vae.encode(image), before)


def test_crops_weigh_the_mouth(plain):
    images, weight, _ = crops(read_pictures(plain, TRAIN), 16, torch.Generator().manual_seed(0))
    assert images.shape == (16, 3, 64, 64) and weight.shape == (16, 1, 64, 64)
    assert images.abs().max() <= 1 and weight.max() > 1


def numbered(count: int, size: int, cell: int) -> Pictures:
    """Pictures whose cells, and their latents, have each its own number."""
    side = size // cell
    numbers = torch.arange(count * side * side).reshape(count, side, side) % 251
    frames = numbers.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[..., None].expand(-1, -1, -1, 3)
    return Pictures(frames.to(torch.uint8), torch.tensor([[0, 0, size, size // 2]] * count), numbers[:, None].half())


def test_crops_and_their_latents_show_the_same_place():
    pictures = numbered(5, 256, 16)
    images, latents = crops_with_latents(pictures, 32, torch.Generator().manual_seed(0))
    assert images.shape == (32, 3, 128, 128) and latents.shape == (32, 1, 8, 8)
    assert torch.equal(((images[:, :1, ::16, ::16] + 1) * 127.5).round(), latents)
    assert len({float(corner) for corner in latents[:, 0, 0, 0]}) > 16


def test_detail_may_lie_elsewhere_but_not_be_less():
    torch.manual_seed(0)
    true = torch.nn.functional.avg_pool2d(torch.rand(2, 3, 66, 66) * 2 - 1, 3, 1)
    moved, blurred = true.roll((2, 1), (2, 3)), torch.nn.functional.avg_pool2d(true, 3, 1, 1)
    assert detail_loss(true, true) == 0
    assert 1.5 * detail_loss(moved, true) < detail_loss(blurred, true)
    assert coarse_loss(true - blurred) < 0.5 * coarse_loss(true)


def test_the_decoder_learns_from_generated_latents(plain):
    """Latents of its own would not teach it this: all generated pictures are white."""
    torch.manual_seed(0)
    vae = VAE(CONFIG.vae)
    pictures = read_pictures(plain, TRAIN)
    size, factor = pictures.frames.shape[1], pictures.frames.shape[1] // vae.encode(torch.zeros(1, 3, 64, 64)).shape[-1]
    latents = torch.full((4, vae.encode(torch.zeros(1, 3, 64, 64)).shape[1], size // factor, size // factor), 3.0)
    generated = Pictures(torch.full((4, size, size, 3), 255, dtype=torch.uint8), pictures.mouths[:4], latents)
    settings = AutoencoderSettings(batch=2, decoder_only=True)
    with torch.no_grad():
        before = vae.decode(latents).mean()
    train_autoencoder(vae, (pictures, pictures), Limits(steps=60), settings, generated=generated)
    assert vae.decode(latents).mean() > before + 0.3


def test_the_autoencoder_must_be_of_the_right_kind(plain):
    with pytest.raises(InputError, match="needs no training"):
        train_autoencoder(
            VAE(replace(CONFIG.vae, kind="kl", widths=(32,), patch=1, fold=1)), read_splits(plain), Limits(steps=1)
        )


@pytest.mark.usefixtures("quick")
def test_a_resumed_run_with_a_discriminator_equals_an_unbroken_one(plain, tmp_path):
    for folder in ("unbroken", "broken"):
        train_autoencoder(fresh_vae(), read_splits(plain), Limits(steps=6), ADVERSARIAL, folder=tmp_path / folder)
    shutil.rmtree(checkpoints.checkpoints(tmp_path / "broken")[-1])
    vae = fresh_vae()
    torch.manual_seed(7)
    options = {"folder": tmp_path / "broken", "resume": True}
    train_autoencoder(vae, read_splits(plain), Limits(steps=6), ADVERSARIAL, **options)
    assert_equal(tmp_path / "unbroken", tmp_path / "broken")
    line = read_log(tmp_path / "broken")[-2]
    assert line["step"] == 6 and line["discriminator_loss"] > 0 and line["discriminator_rate"] == 4e-4


@pytest.mark.usefixtures("quick")
def test_a_picture_that_is_not_finite_stops_the_run(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(autoencoder, "moments_loss", lambda latents: latents.sum() * float("nan"))
    with pytest.raises(TrainingError, match=r"the loss is not finite at step 1 \(samples clip\d.* frame \d+"):
        train_autoencoder(fresh_vae(), read_splits(plain), Limits(steps=6), ADVERSARIAL, folder=tmp_path)
    assert checkpoints.checkpoints(tmp_path) == []


@pytest.mark.usefixtures("quick")
def test_the_command_trains_stops_at_sigterm_and_resumes(plain, checkpoint, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    base = ["train", "--stage", "vae", "--data", str(plain.folder), "--init", str(checkpoint), "--out", str(out)]
    base += ["--adversarial", "0.3", "--max-steps", "8"]
    validate = autoencoder.AutoencoderTask.validate

    def stop(task, step, log):
        os.kill(os.getpid(), signal.SIGTERM)
        validate(task, step, log)

    monkeypatch.setattr(autoencoder.AutoencoderTask, "validate", stop)
    assert main(base) == 130
    assert "stopped at step 3; go on with --resume" in capsys.readouterr().err
    monkeypatch.setattr(autoencoder.AutoencoderTask, "validate", validate)
    assert main(base) == 2
    assert "holds a run; add --resume" in capsys.readouterr().err
    assert main([*base, "--adversarial", "0.4", "--resume"]) == 2
    assert "resume: adversarial was 0.3" in capsys.readouterr().err
    assert main([*base, "--resume"]) == 0
    before, after = load_checkpoint(checkpoint), load_checkpoint(out / "model.safetensors")
    for part, trained in (("emo", False), ("vae", True)):
        old, new = (getattr(model, part).state_dict() for model in (before, after))
        assert any(not torch.allclose(old[name], new[name], atol=2e-3) for name in old) == trained
    assert main(["export", str(out), "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "stage vae, which needs no export" in capsys.readouterr().err
