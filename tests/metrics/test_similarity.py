"""Similarity of generated frames to true ones; the autoencoder, validation and the parts of `overfit`."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.dataset.shards import HELD_OUT, TRAIN
from emo_core.emo.models.vae import VAE
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.autoencoder import (
    Learning,
    Pictures,
    both_splits,
    coarse_loss,
    crops,
    detail_loss,
    made_crops,
    read_pictures,
    sharpness,
    train_autoencoder,
)
from emo_core.emo.training.overfit import EACH, SHARES, Plan, stage_of
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.stages import STAGES
from emo_core.emo.training.train import Limits
from emo_core.emo.training.validate import Validation, fixed_clips
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.errors import InputError
from emo_core.media.contact_sheet import contact_sheet
from emo_core.media.picture import load_picture
from emo_core.metrics.similarity import compare_frames, psnr
from emo_core.training.log import TrainingLog, read_log
from tests.conftest import CONFIG, ROOT


def test_psnr_equals_the_formula():
    true = np.full((2, 4, 4, 3), 100, np.uint8)
    assert psnr(true + 10, true) == pytest.approx(10 * np.log10(255**2 / 100))
    assert psnr(true, true) > 100


def test_frames_equal_themselves_and_noise_has_no_face():
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    from PIL import Image

    from emo_core.face.mediapipe_detector import BundledDetector

    face = Image.fromarray(load_picture(ROOT / "assets" / "portrait.png"))
    true = np.stack([np.asarray(face.rotate(t)) for t in range(6)])
    same = compare_frames(true, None, true, BundledDetector())
    assert same.psnr > 90 and same.face_found == 1 and same.spread == pytest.approx(1)
    assert same.yaw == pytest.approx(1) and np.isnan(same.opening_shuffled)
    noise = np.random.default_rng(0).integers(0, 255, true.shape, dtype=np.uint8)
    faceless = compare_frames(noise, None, true, BundledDetector())
    assert faceless.face_found == 0 and np.isnan(faceless.opening)


def test_the_sheet_shows_true_over_made():
    true, made = np.full((7, 8, 8, 3), 200, np.uint8), np.full((9, 8, 8, 3), 50, np.uint8)
    sheet = np.asarray(contact_sheet(true, made, columns=3, side=16))
    assert sheet.shape == (32, 48, 3)
    assert sheet[:16].min() == 200 and sheet[16:].max() == 50


def test_the_autoencoder_learns(plain):
    torch.manual_seed(0)
    vae = VAE(CONFIG.vae)
    pictures = read_pictures(plain, HELD_OUT)
    before = sharpness(vae, pictures).whole
    trained, found = train_autoencoder(vae, *both_splits(plain), Limits(steps=120), Learning(batch=4))
    assert found.whole > before + 3
    assert not any(p.requires_grad for p in trained.parameters())


def test_the_decoder_alone_leaves_latents_as_they_are(plain):
    torch.manual_seed(0)
    vae = VAE(CONFIG.vae)
    image = torch.rand(1, 3, 64, 64)
    before = vae.encode(image).detach()
    trained, _ = train_autoencoder(
        vae, *both_splits(plain), Limits(steps=5), Learning(batch=2, decoder_only=True, adversarial=0.5)
    )
    assert torch.equal(trained.encode(image), before)


def test_crops_weigh_the_mouth(plain):
    images, weight = crops(read_pictures(plain, TRAIN), 16, torch.Generator().manual_seed(0))
    assert images.shape == (16, 3, 64, 64) and weight.shape == (16, 1, 64, 64)
    assert images.abs().max() <= 1 and weight.max() > 1


def numbered(count: int, size: int, cell: int) -> Pictures:
    """Pictures whose cells, and their latents, have each its own number."""
    side = size // cell
    numbers = torch.arange(count * side * side).reshape(count, side, side) % 251
    frames = numbers.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[..., None].expand(-1, -1, -1, 3)
    return Pictures(frames.to(torch.uint8), torch.tensor([[0, 0, size, size // 2]] * count), numbers[:, None].half())


def test_crops_of_made_pictures_and_their_latents_show_the_same():
    made = numbered(5, 256, 16)
    images, latents = made_crops(made, 32, torch.Generator().manual_seed(0))
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


def test_the_decoder_learns_from_what_a_network_makes(plain):
    """Which its own latents would not teach: all that is made is one grey more."""
    torch.manual_seed(0)
    vae = VAE(CONFIG.vae)
    pictures = read_pictures(plain, TRAIN)
    size, factor = pictures.frames.shape[1], pictures.frames.shape[1] // vae.encode(torch.zeros(1, 3, 64, 64)).shape[-1]
    latents = torch.full((4, vae.encode(torch.zeros(1, 3, 64, 64)).shape[1], size // factor, size // factor), 3.0)
    made = Pictures(torch.full((4, size, size, 3), 255, dtype=torch.uint8), pictures.mouths[:4], latents)
    how = Learning(batch=2, decoder_only=True)
    with torch.no_grad():
        before = vae.decode(latents).mean()
    trained, _ = train_autoencoder(vae, pictures, pictures, Limits(steps=60), how, made=made)
    assert trained.decode(latents).mean() > before + 0.3


def test_the_autoencoder_must_be_of_the_right_kind(plain):
    with pytest.raises(InputError, match="needs no training"):
        train_autoencoder(
            VAE(replace(CONFIG.vae, kind="kl", widths=(32,), patch=1, fold=1)), *both_splits(plain), Limits(steps=1)
        )


def test_validation_says_loss_and_shows_a_video(dataset, checkpoint, tmp_path):
    model = load_checkpoint(checkpoint)
    stage = STAGES["2"].with_options({"validation_steps": 2})
    clips, other, name = fixed_clips(dataset)
    assert ([clip.key for clip in clips], name) == (["clip6-000"], "validation")
    validation = Validation(tuple(clips), other, stage, frozen_parts(model, None), tmp_path / "validation", None)
    with TrainingLog(tmp_path, step=0) as journal:
        validation(7, Denoiser(model.emo), journal)
        validation(7, Denoiser(model.emo), journal)
    lines = read_log(tmp_path)
    assert lines[0]["validation_loss"] == lines[1]["validation_loss"] > 0
    assert (tmp_path / "validation" / "step-00000007.jpg").is_file()


def test_the_recipe_uses_all_its_time_and_every_stage(tmp_path):
    assert sum(SHARES.values()) == pytest.approx(1)
    plan = Plan(video=tmp_path / "a.mp4", out=tmp_path, init=tmp_path / "b.safetensors")
    stages = [stage_of(name, plan) for name in EACH]
    assert [stage.stage for stage in stages] == ["1", "2", "3"]
    assert "audio" not in stages[2].trains


def test_validation_has_the_precision_of_training(dataset, checkpoint, tmp_path):
    """Its network; the autoencoder has its own, as where it trains and where it animates."""
    model, network, pictures = load_checkpoint(checkpoint), [], []
    denoiser, frozen = Denoiser(model.emo), frozen_parts(model, None)
    clips, other, _ = fixed_clips(dataset)
    stage = STAGES["2"].with_options({"validation_steps": 1, "precision": "bf16"})
    vae = frozen.vae.net
    for part, seen in ((model.emo.backbone.conv_out, network), (vae.encoder, pictures), (vae.decoder, pictures)):
        part.register_forward_hook(lambda module, given, found, seen=seen: seen.append(found.dtype))
    with TrainingLog(tmp_path, step=0) as journal:
        Validation(tuple(clips), other, stage, frozen, tmp_path, None)(1, denoiser, journal)
    assert set(network) == {torch.bfloat16}
    assert set(pictures) == {torch.float32}
