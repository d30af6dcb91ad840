"""The loss: per-sample weights and its value at the start, against hand computations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.batch import collate
from emo_core.emo.training.batches import draw_sample
from emo_core.emo.training.objective import Objective, inputs, snr_weights
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.stages import STAGES
from emo_core.emo.weights.checkpoint import load_checkpoint
from tests.conftest import CONFIG

EPSILON = replace(CONFIG.diffusion, prediction="epsilon", zero_terminal_snr=False)


def draw(dataset, stage, count=2, seed=0):
    clips, sampler = list(read_clips(dataset, TRAIN)), Sampler(CONFIG, stage)
    return collate([draw_sample(sampler, clips[i], 100 * seed + i) for i in range(count)])


def test_min_snr_by_hand():
    # a^2 = 0.9: SNR 9. a^2 = 0.5: SNR 1. a^2 = 0: pure noise.
    alphas = torch.tensor([0.9, 0.5])
    assert snr_weights(alphas, EPSILON, 5.0).tolist() == pytest.approx([5 / 9, 1.0], rel=1e-5)
    alphas = torch.tensor([0.9, 0.5, 0.0])
    assert snr_weights(alphas, CONFIG.diffusion, 5.0).tolist() == pytest.approx([5 / 10, 1.0, 1.0], rel=1e-5)
    assert snr_weights(alphas, CONFIG.diffusion, 0.0).tolist() == [1, 1, 1]


def test_loss_of_a_silent_net_is_the_closed_form_sample_by_sample(dataset, checkpoint):
    """A net whose output is zero errs by the target, v = a e - s x: known without running it."""
    stage = STAGES["2"].with_options({"mouth_weight": 3.0})
    batch = replace(draw(dataset, stage), timesteps=torch.tensor([50, 900]))
    emo = EMO(CONFIG)
    nn.init.zeros_(emo.backbone.conv_out.weight)
    nn.init.zeros_(emo.backbone.conv_out.bias)
    denoiser = Denoiser(emo)
    clean, conditions = inputs(batch, CONFIG, frozen_parts(load_checkpoint(checkpoint), None))
    with torch.no_grad():
        losses = Objective(denoiser, 5.0)(batch, clean, conditions)
    for i, timestep in enumerate((50, 900)):
        a2 = float(denoiser.schedule.alphas_cumprod[timestep])
        v = a2**0.5 * batch.noise[i] - (1 - a2) ** 0.5 * clean[i]
        cells = batch.weight[i].expand_as(v)
        expected = (v.square() * cells).sum() / cells.sum()
        snr = a2 / (1 - a2) + 1
        assert float(losses[i]) == pytest.approx(float(expected * min(snr, 5.0) / snr), rel=1e-4)


def test_mouth_cells_weigh_more(dataset):
    batch = draw(dataset, STAGES["1"].with_options({"mouth_weight": 4.0}))
    clip = next(read_clips(dataset, TRAIN))
    assert set(batch.weight.unique().tolist()) == {1.0, 4.0}
    left, top, right, bottom = clip.labels.mouths[0] * CONFIG.latent_size
    assert batch.weight[0, 0, 0, int((top + bottom) / 2), int((left + right) / 2)] == 4
    assert batch.weight[0, 0, 0, 0, 0] == 1


def test_motion_frames_are_the_frames_before(dataset, checkpoint):
    stage = STAGES["2"].with_options({"motion_noise": 0.0, "motion_patch_drop": 0.0, "start": 0.0})
    frozen = frozen_parts(load_checkpoint(checkpoint), None)
    clip = next(read_clips(dataset, TRAIN))
    n, found = CONFIG.temporal.motion_frames, 0
    for seed in range(8):
        batch = draw_sample(Sampler(CONFIG, stage), clip, seed)
        clean, conditions = inputs(batch, CONFIG, frozen)
        places = [t for t in range(clip.frames) if np.allclose(clip.latents[t], clean[0, 0].numpy(), atol=1e-6)]
        start = places[0]
        assert bool(batch.motion_known) == (start >= n)
        if batch.motion_known:
            found += 1
            assert np.allclose(conditions.motion[0].numpy(), clip.latents[start - n : start])
    assert found


def test_motion_frames_lose_patches_and_gain_noise(dataset, checkpoint):
    frozen = frozen_parts(load_checkpoint(checkpoint), None)
    clip = next(read_clips(dataset, TRAIN))
    dropped = STAGES["2"].with_options({"motion_noise": 0.0, "motion_patch_drop": 1.0})
    shares = []
    for seed in range(20):
        batch = draw_sample(Sampler(CONFIG, dropped), clip, seed)
        motion = inputs(batch, CONFIG, frozen)[1].motion
        lost = (motion == 0).all(2)
        assert torch.equal(lost, batch.motion_keep[:, :, 0] == 0)
        shares.append(float(lost.float().mean()))
    assert min(shares) < 0.25 and max(shares) > 0.75
    noisy = STAGES["2"].with_options({"motion_noise": 1.0, "motion_patch_drop": 0.0})
    levels = [float(draw_sample(Sampler(CONFIG, noisy), clip, s).motion_level) for s in range(20)]
    assert min(levels) < 0.2 and max(levels) > 0.8


def test_motion_frames_are_anchored(dataset, checkpoint):
    """As sampling anchors them: towards the reference, by any share up to the stage's."""
    frozen = frozen_parts(load_checkpoint(checkpoint), None)
    clip = next(read_clips(dataset, TRAIN))
    plain = STAGES["2"].with_options({"motion_noise": 0.0, "motion_patch_drop": 0.0, "start": 0.0})
    shares = []
    for seed in range(20):
        free, tied = (
            draw_sample(Sampler(CONFIG, plain.with_options({"motion_anchor": share})), clip, seed)
            for share in (0.0, 1.0)
        )
        shares.append(float(tied.motion_anchor))
        motion, conditions = inputs(free, CONFIG, frozen)[1].motion, inputs(tied, CONFIG, frozen)[1]
        assert torch.allclose(
            conditions.motion, torch.lerp(motion, conditions["reference"][:, None], shares[-1]), atol=1e-5
        )
    assert min(shares) < 0.2 and max(shares) > 0.8


def test_drops_come_as_often_as_they_should(dataset):
    stage = STAGES["3"].with_options({"drop": {"audio": 0.5, "reference": 0.25}, "start": 0.3, "white_mask": 0.4})
    clip, sampler = next(read_clips(dataset, TRAIN)), Sampler(CONFIG, stage)
    draws = [draw_sample(sampler, clip, seed) for seed in range(400)]
    assert np.mean([float(d.keep["audio"]) for d in draws]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([float(d.keep["reference"]) for d in draws]) == pytest.approx(0.75, abs=0.08)
    assert np.mean([bool(d.conditions["face_region"].min() == 1) for d in draws]) == pytest.approx(0.4, abs=0.08)
    begins = (CONFIG.temporal.motion_frames) / (clip.frames - CONFIG.temporal.frames + 1)
    unknown = 1 - (1 - begins) * 0.7
    assert np.mean([not bool(d.motion_known) for d in draws]) == pytest.approx(unknown, abs=0.08)


def test_one_speed_or_a_curve(dataset):
    clip = next(read_clips(dataset, TRAIN))
    for share, flat in ((0.0, False), (1.0, True)):
        stage = STAGES["3"].with_options({"constant_speed": share})
        speed = draw_sample(Sampler(CONFIG, stage), clip, 0).conditions["speed"]
        assert speed.shape == (1, CONFIG.temporal.frames + 2 * CONFIG.speed.window)
        assert (float(speed.std()) == 0) == flat


def test_noise_has_a_share_common_to_all_frames_and_an_offset(dataset):
    clip = next(read_clips(dataset, TRAIN))
    plain = Sampler(CONFIG, STAGES["2"].with_options({"noise_offset": 0.0}))
    noise = torch.cat([draw_sample(plain, clip, seed).noise for seed in range(50)])
    common = (noise[:, 0] * noise[:, 1]).mean()
    assert float(noise.var()) == pytest.approx(1, abs=0.03)
    assert float(common) == pytest.approx(CONFIG.diffusion.shared_noise, abs=0.03)
    offset = Sampler(CONFIG, STAGES["2"].with_options({"noise_offset": 2.0}))
    means = torch.cat([draw_sample(offset, clip, seed).noise for seed in range(50)]).mean((1, 3, 4))
    assert float(means.std()) == pytest.approx(2, rel=0.25)


def test_reference_is_another_frame_at_a_distance(dataset):
    stage = STAGES["1"].with_options({"reference_gap": 0.2, "frames": 1})
    clip, sampler = next(read_clips(dataset, TRAIN)), Sampler(CONFIG, stage)
    for seed in range(30):
        batch = draw_sample(sampler, clip, seed)
        reference, target = (
            next(t for t in range(clip.frames) if np.array_equal(clip.latents[t], batch.latents[0, i].half().numpy()))
            for i in (0, 1)
        )
        assert abs(reference - target) >= 0.2 * CONFIG.fps


def test_uncached_clips_give_the_same_inputs(plain, dataset, checkpoint):
    frozen = frozen_parts(load_checkpoint(checkpoint), None)
    stage = STAGES["2"]
    a, b = (inputs(draw(data, stage), CONFIG, frozen) for data in (plain, dataset))
    assert torch.allclose(a[0], b[0], atol=5e-3)
    assert torch.allclose(a[1]["audio"], b[1]["audio"], atol=5e-3)


def test_a_teacher_is_learnt_with_its_guidance(dataset, checkpoint):
    """A student that equals the teacher has only the guidance to learn: (s - 1) times what the sound changes."""
    batch = draw(dataset, STAGES["few"])
    frozen = frozen_parts(load_checkpoint(checkpoint), None)
    teacher = Denoiser(load_checkpoint(checkpoint).emo.eval())
    student = Denoiser(load_checkpoint(checkpoint).emo.eval())
    clean, conditions = inputs(batch, CONFIG, frozen)
    with torch.no_grad():
        losses = Objective(student, 0.0, teacher)(batch, clean, conditions)
        noisy = teacher.schedule.add_noise(clean, batch.noise, batch.timesteps)
        context = teacher.emo.context(conditions)
        silent = context.keep(audio=torch.zeros(2))
        heard, unheard = (teacher(noisy, batch.timesteps, given) for given in (context, silent))
    scale = CONFIG.diffusion.audio_scale
    assert scale > 1
    error = ((scale - 1) * (heard - unheard)).square().mean(2, keepdim=True)
    expected = (error * batch.weight).sum((1, 2, 3, 4)) / batch.weight.expand_as(error).sum((1, 2, 3, 4))
    assert torch.allclose(losses, expected, rtol=1e-4)
    assert losses.min() > 0
    assert not any("teacher" in name for name, _ in Objective(student, 0.0, teacher).named_parameters())


def test_any_version_of_the_sound_is_drawn(dataset):
    clip = next(read_clips(dataset, TRAIN))
    clip = replace(clip, features=np.concatenate([clip.features, clip.features + 100]))
    stage = STAGES["2"]
    for augmented, levels in ((True, {True, False}), (False, {False})):
        sampler = Sampler(CONFIG, stage.with_options({"augmented_sounds": augmented}))
        drawn = [draw_sample(sampler, clip, i).conditions["audio"] for i in range(20)]
        assert {bool(features.mean() > 50) for features in drawn} == levels


def test_recomputed_activations_give_the_same_gradients(dataset, checkpoint):
    """The backward pass recomputes outside of `forward`, with the attention kernels that were chosen there."""
    batch, gradients = draw(dataset, STAGES["2"]), []
    clean, conditions = inputs(batch, CONFIG, frozen_parts(load_checkpoint(checkpoint), None))
    for checkpointing in (False, True):
        emo = load_checkpoint(checkpoint).emo.train().requires_grad_(True)
        emo.set_gradient_checkpointing(checkpointing)
        objective = Objective(Denoiser(emo), 5.0)
        objective(batch, clean, conditions).mean().backward()
        gradients.append({name: value.grad for name, value in emo.named_parameters() if value.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and gradients[0]
    assert all(torch.allclose(value, gradients[1][name], atol=1e-6) for name, value in gradients[0].items())
