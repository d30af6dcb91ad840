"""Fixtures: a tiny random model as a checkpoint file, synthetic sound, and the real data where it is at hand."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import TINY, EMOConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.weights.checkpoint import save_checkpoint

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("EMO_DATA", ROOT.parent / "shared" / "data"))
CASES = ROOT.parent / "shared" / "cases" / "t2"
"""Files as people bring them."""
TINY_ENCODER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
    "apply_spec_augment": False,
}
CONFIG = replace(TINY, audio=replace(TINY.audio, encoder=json.dumps(TINY_ENCODER)))


def awake(emo: EMO, seed: int = 0) -> EMO:
    """Give the zero-initialised outputs small random weights, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in emo.parameters():
        if not parameter.any():
            parameter.data.normal_(0, 0.05, generator=generator)
    return emo


def random_conditions(config: EMOConfig, clips: int = 1, seed: int = 0, frames: int | None = None) -> Conditions:
    """Random conditions of the right shapes, all layers on."""
    draw = torch.Generator().manual_seed(seed)
    frames = frames or config.temporal.frames
    latent = (config.vae.channels, config.latent_size, config.latent_size)
    audio = config.audio
    reference = torch.randn(clips, *latent, generator=draw)
    motion = torch.randn(clips, config.temporal.motion_frames, *latent, generator=draw)
    values = {
        "reference": reference,
        "audio": torch.randn(clips, frames, 2 * audio.window + 1, audio.layers, audio.width, generator=draw),
        "face_region": torch.rand(clips, 1, config.mask_size, config.mask_size, generator=draw),
        "speed": torch.rand(clips, frames + 2 * config.speed.window, generator=draw),
    }
    return Conditions(values, motion=motion)


def random_latents(config: EMOConfig, clips: int = 1, seed: int = 1) -> torch.Tensor:
    """(B, F, C, h, w) unit normal."""
    side = config.latent_size
    shape = (clips, config.temporal.frames, config.vae.channels, side, side)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tone(seconds: float, rate: int = 16000) -> np.ndarray:
    """A voice-like sound: a buzz whose loudness comes and goes four times a second."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
    return (0.1 * buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)


@pytest.fixture
def emo() -> EMO:
    """A tiny model whose every layer acts."""
    torch.manual_seed(0)
    return awake(EMO(CONFIG)).eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a file with all its parts."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    parts = {"emo": awake(EMO(CONFIG)), "vae": VAE(CONFIG.vae), "audio_encoder": AudioEncoder.from_config(CONFIG.audio)}
    save_checkpoint(path, CONFIG, parts, dtype=torch.float32)
    return path


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A drawn dataset."""
    from tests.synthetic import write_dataset

    return write_dataset(tmp_path_factory.mktemp("data") / "plain")


@pytest.fixture(scope="session")
def dataset(plain, checkpoint, tmp_path_factory):
    """The same with cached latents and features."""
    from tests.synthetic import cached

    return cached(plain, checkpoint, tmp_path_factory.mktemp("data") / "cached")


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.23 seconds of sound: not a whole number of frames."""
    path = tmp_path_factory.mktemp("sound") / "voice.wav"
    soundfile.write(path, tone(1.23), 16000)
    return path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real clips, portraits and voices."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA} (set EMO_DATA)")
    return DATA
