"""Parametrisation and loss, against closed forms."""

from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import nn

from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from tests.conftest import CONFIG, random_conditions, random_latents

EPSILON = replace(
    CONFIG, diffusion=replace(CONFIG.diffusion, prediction="epsilon", zero_terminal_snr=False, shared_noise=0.0)
)


def silent(config) -> Denoiser:
    """A model that predicts zeros."""
    emo = EMO(config).eval()
    nn.init.zeros_(emo.backbone.conv_out.weight)
    nn.init.zeros_(emo.backbone.conv_out.bias)
    return Denoiser(emo)


SAMPLE = replace(CONFIG, diffusion=replace(CONFIG.diffusion, prediction="sample"))


@pytest.mark.parametrize("config", [CONFIG, EPSILON, SAMPLE], ids=["v", "epsilon", "sample"])
def test_clean_inverts_noising(config):
    denoiser = silent(config)
    clean, noise = random_latents(config), random_latents(config, seed=2)
    timestep = torch.tensor([600])
    noisy = denoiser.schedule.add_noise(clean, noise, timestep)
    target = denoiser.schedule.target(clean, noise, timestep)
    assert torch.allclose(denoiser.clean(noisy, target, timestep[0]), clean, atol=1e-4)


def test_loss_of_a_silent_model_is_the_target_power():
    denoiser = silent(CONFIG)
    clean, noise = random_latents(CONFIG, 2), random_latents(CONFIG, 2, seed=2)
    timesteps = torch.tensor([100, 900])
    alpha = denoiser.schedule.alphas_cumprod[timesteps].view(2, 1, 1, 1, 1)
    expected = (alpha.sqrt() * noise - (1 - alpha).sqrt() * clean).square().mean((1, 2, 3, 4))
    loss = denoiser.loss(clean, random_conditions(CONFIG, 2), noise=noise, timesteps=timesteps)
    assert torch.allclose(loss, expected, rtol=1e-5)


def test_loss_weights_are_a_weighted_mean():
    denoiser = silent(EPSILON)
    clean, noise = random_latents(EPSILON), random_latents(EPSILON, seed=2)
    weight = torch.zeros(1, CONFIG.temporal.frames, 1, CONFIG.latent_size, CONFIG.latent_size)
    weight[:, 1, :, 2:4, 3:5] = 3.0
    loss = denoiser.loss(clean, random_conditions(EPSILON), noise=noise, timesteps=torch.tensor([10]), weight=weight)
    assert torch.allclose(loss[0], noise[0, 1, :, 2:4, 3:5].square().mean(), rtol=1e-5)


def test_dropping_the_audio_makes_the_loss_blind_to_it(emo):
    denoiser = Denoiser(emo)
    clean, noise = random_latents(CONFIG), random_latents(CONFIG, seed=2)
    conditions = random_conditions(CONFIG)
    other = conditions.replaced(audio=conditions["audio"] + 1)
    arguments = {"noise": noise, "timesteps": torch.tensor([500]), "keep": {"audio": torch.zeros(1)}}
    assert torch.equal(denoiser.loss(clean, conditions, **arguments), denoiser.loss(clean, other, **arguments))
    arguments["keep"] = {"audio": torch.ones(1)}
    assert not torch.equal(denoiser.loss(clean, conditions, **arguments), denoiser.loss(clean, other, **arguments))


def test_zero_terminal_snr_ends_in_pure_noise():
    denoiser = silent(CONFIG)
    assert denoiser.schedule.alphas_cumprod[-1] == 0
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "rescale_betas_zero_snr": True}
    assert torch.allclose(denoiser.schedule.alphas_cumprod, DDIMScheduler(**betas).alphas_cumprod)
