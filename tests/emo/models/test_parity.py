"""Our skeleton against diffusers' UNet2DConditionModel and AnimateDiff, with the same weights."""

from dataclasses import replace

import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from einops import rearrange
from torch import nn

from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import SD15, TINY, EMOConfig, SpeedConfig, UNetConfig, VAEConfig
from emo_core.emo.models.backbone import SiteContext
from emo_core.emo.models.temporal import TemporalModule
from emo_core.emo.weights.sd15 import build_emo
from emo_core.memory import peak_memory_mb

SMALL = replace(
    TINY,
    vae=VAEConfig(widths=(8, 8, 8, 8)),
    image_size=128,
    unet=UNetConfig(widths=(32, 64, 96, 96), attention=(True, True, True, False), heads=8, groups=8),
)
"""SD 1.5's topology, narrow."""


def diffusers_unet(config: EMOConfig) -> UNet2DConditionModel:
    """SD 1.5's UNet with random weights, its text cross-attention silenced."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=config.latent_size,
        block_out_channels=config.unet.widths,
        layers_per_block=config.unet.layers_per_block,
        cross_attention_dim=768,
        attention_head_dim=config.unet.heads,
        norm_num_groups=config.unet.groups,
    ).eval()
    for name, parameter in unet.named_parameters():
        if ".attn2.to_out." in name:
            nn.init.zeros_(parameter)
        elif parameter.ndim == 1:
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return unet


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


@torch.no_grad()
def backbone_error(config: EMOConfig, side: int) -> float:
    unet = diffusers_unet(config)
    emo = build_emo(unet.state_dict(), config=config).eval()
    latents, timesteps = torch.randn(2, 4, side, side), torch.tensor([17, 931])
    theirs = unet(latents, timesteps, encoder_hidden_states=torch.randn(2, 77, 768)).sample
    context = emo.backbone.contexts(lambda index, site: SiteContext())
    ours = emo.backbone(latents, timesteps, context)[0]
    ours = emo.backbone.conv_out(nn.functional.silu(emo.backbone.conv_norm_out(ours)))
    return relative_error(ours, theirs)


def test_skeleton_equals_diffusers():
    assert backbone_error(SMALL, 16) <= 1e-5


@torch.no_grad()
def identity_error(config: EMOConfig) -> float:
    """A whole step with every condition given, against SD 1.5 on each frame by itself."""
    unet = diffusers_unet(config)
    emo = build_emo(unet.state_dict(), config=config).eval()
    frames, latent = config.temporal.frames, (4, config.latent_size, config.latent_size)
    conditions = Conditions(
        {
            "reference": torch.randn(1, *latent),
            "audio": torch.randn(1, frames, 5, config.audio.layers, config.audio.width),
            "face_region": torch.rand(1, 1, config.mask_size, config.mask_size),
            "speed": torch.rand(1, frames + 4),
        },
        motion=torch.randn(1, config.temporal.motion_frames, *latent),
    )
    noisy = torch.randn(1, frames, *latent)
    ours = emo(noisy, torch.tensor([500]), emo.context(conditions))
    theirs = unet(noisy[0], 500, encoder_hidden_states=torch.zeros(frames, 77, 768)).sample
    return relative_error(ours[0], theirs)


def test_sd15_initialised_emo_denoises_as_sd15_whatever_the_conditions():
    assert identity_error(SMALL) <= 1e-5


@pytest.mark.slow
def test_full_size_step_at_256_within_24_gib():
    assert identity_error(replace(SD15, image_size=256)) <= 1e-5
    assert peak_memory_mb(torch.device("cpu")) < 24 * 1024


@torch.no_grad()
def test_temporal_module_equals_animatediff():
    torch.manual_seed(0)
    width, frames, side = 320, 12, 4
    adapter = MotionAdapter(block_out_channels=(width,), motion_layers_per_block=1, use_motion_mid_block=False)
    theirs = adapter.down_blocks[0].motion_modules[0].eval()
    for parameter in theirs.parameters():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    ours = TemporalModule(width, 8, 32, 32, SpeedConfig(width=16)).eval()
    ours.load_state_dict({**ours.state_dict(), **_animatediff_names(theirs.state_dict())})
    # diffusers normalises all frames of a clip together, AnimateDiff's own code and EMO each frame by itself. Frames
    # that all have mean 0 and variance 1 in every group are the same to both.
    x = rearrange(torch.randn(frames, width, side, side), "f (g c) h w -> f g (c h w)", g=32)
    x = (x - x.mean(-1, keepdim=True)) / x.std(-1, correction=0, keepdim=True)
    x = rearrange(x, "f g (c h w) -> f (g c) h w", h=side, w=side)
    expected = theirs(x, num_frames=frames)
    got = ours(x, torch.zeros(1, 0, width, side, side), None)
    assert relative_error(got - x, expected - x) <= 1e-5


def _animatediff_names(state: dict) -> dict:
    """diffusers' motion module -> ours."""
    renamed = {}
    for key, value in state.items():
        new = key.replace("transformer_blocks.0.", "")
        for old, name in (
            ("attn1.", "attention_blocks.0."),
            ("attn2.", "attention_blocks.1."),
            ("norm1.", "norms.0."),
            ("norm2.", "norms.1."),
            ("norm3.", "ff_norm."),
        ):
            if new.startswith(old):
                new = name + new.removeprefix(old)
        if "pos_embed" not in new:
            renamed[new] = value
    return renamed
