"""Validation of a stage: its loss, its video, its precision."""

import torch

from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.stages import STAGES
from emo_core.emo.training.validate import Validation, fixed_clips
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.training.log import TrainingLog, read_log


def test_validation_says_loss_and_shows_a_video(dataset, checkpoint, tmp_path):
    model = load_checkpoint(checkpoint)
    stage = STAGES["2"].with_options({"validation_steps": 2})
    clips, other, name = fixed_clips(dataset)
    assert ([clip.key for clip in clips], name) == (["clip6-000"], "validation")
    validation = Validation(tuple(clips), other, stage, frozen_parts(model, None), tmp_path / "validation", None)
    with TrainingLog(tmp_path, step=0) as log:
        validation(7, Denoiser(model.emo), log)
        validation(7, Denoiser(model.emo), log)
    lines = read_log(tmp_path)
    assert lines[0]["validation_loss"] == lines[1]["validation_loss"] > 0
    assert (tmp_path / "validation" / "step-00000007.jpg").is_file()


def test_validation_has_the_precision_of_training(dataset, checkpoint, tmp_path):
    """Its network; the autoencoder has its own, as where it trains and where it animates."""
    model, network, pictures = load_checkpoint(checkpoint), [], []
    denoiser, frozen = Denoiser(model.emo), frozen_parts(model, None)
    clips, other, _ = fixed_clips(dataset)
    stage = STAGES["2"].with_options({"validation_steps": 1, "precision": "bf16"})
    vae = frozen.vae.net
    for part, seen in ((model.emo.backbone.conv_out, network), (vae.encoder, pictures), (vae.decoder, pictures)):
        part.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output.dtype))
    with TrainingLog(tmp_path, step=0) as log:
        Validation(tuple(clips), other, stage, frozen, tmp_path, None)(1, denoiser, log)
    assert set(network) == {torch.bfloat16}
    assert set(pictures) == {torch.float32}
