"""A small model with a guide, which it copies, and a decoder that reads it."""

from dataclasses import replace
from pathlib import Path

import torch

from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.config import EMOConfig, GuideConfig
from emo_core.emo.models.attention import zero_
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.weights.checkpoint import save_checkpoint
from tests.conftest import CONFIG, awake

GUIDED = replace(
    CONFIG,
    name="guided",
    guide=GuideConfig(layers=True, scale=0.25),
    vae=replace(CONFIG.vae, guide_width=8),
    diffusion=replace(CONFIG.diffusion, prediction="sample"),
)


def write_guided(path: Path, config: EMOConfig = GUIDED) -> Path:
    torch.manual_seed(0)
    emo = awake(EMO(config))
    zero_(emo.backbone.conv_out)
    parts = {"emo": emo, "vae": awake(VAE(config.vae)), "audio_encoder": AudioEncoder.from_config(config.audio)}
    save_checkpoint(path, config, parts, dtype=torch.float32)
    return path
