"""Similarity of generated frames to true ones; the autoencoder, validation and the parts of `overfit`."""

import numpy as np
import pytest
import torch

from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.overfit import EACH, SHARES, Plan, stage_of
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.stages import STAGES
from emo_core.emo.training.validate import Validation, fixed_clips
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.media.contact_sheet import contact_sheet
from emo_core.media.picture import load_picture
from emo_core.metrics.similarity import compare_frames, psnr
from emo_core.training.log import TrainingLog, read_log
from tests.conftest import ROOT


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
