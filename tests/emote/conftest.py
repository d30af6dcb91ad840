"""A tiny random model and a bank of made motion."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.config import AudioFeaturesConfig
from emo_core.audio.encoder import AudioEncoder, with_encoder
from emo_core.emote.bank import CURVES, MotionBank
from emo_core.emote.config import EmoteConfig
from emo_core.emote.content import ContentModel
from emo_core.emote.emotion_model import EmotionModel
from emo_core.emote.weights import EmoteModel, save_emote
from emo_core.face.coefficients import NAMES
from emo_core.face.rig import FaceRig
from emo_core.media.sound import Sound
from tests.conftest import TINY_ENCODER, tone


def made_rig() -> FaceRig:
    """478 random points whose jawOpen opens the lips."""
    rng = np.random.default_rng(0)
    basis = np.zeros((len(NAMES), 478, 3))
    basis[NAMES.index("jawOpen"), 14, 1] = -0.3
    return FaceRig(
        NAMES, rng.normal(size=(478, 3)), basis, np.zeros((1, 478, 3)), np.arange(478), np.zeros((1, 3), np.int64)
    )


def made_bank(seconds: int = 60) -> MotionBank:
    rng, count = np.random.default_rng(0), seconds * 25
    time = np.arange(count) / 25
    waves = [sum(np.sin(2 * np.pi * f * time + p) for f, p in zip(rng.uniform(0.1, 1, 6), rng.uniform(0, 6, 6), strict=True))
             for _ in range(3)]  # fmt: skip
    lid = np.interp(np.arange(17), [0, 5, 8, 13, 16], [0, 0.2, 1, 0.1, 0])
    arrays = {
        "rotation": np.stack(waves, axis=1),
        "translation": 0.01 * np.stack(waves, axis=1),
        "curves": rng.uniform(0, 0.3, (count, len(CURVES))),
        "gaze": 0.2 * rng.normal(size=(count, 2)),
        "features": rng.normal(size=(count, 3)),
        "room": np.concatenate([np.arange(count // 2, 0, -1), np.arange(count - count // 2, 0, -1)]),
        "blinks": np.stack([np.stack([lid, lid], axis=1)] * 3),
    }
    return MotionBank.from_arrays(arrays)


def made_model() -> EmoteModel:
    torch.manual_seed(0)
    encoder = AudioEncoder(Wav2Vec2Model(Wav2Vec2Config(**TINY_ENCODER))).eval().requires_grad_(False)
    audio = with_encoder(AudioFeaturesConfig(layers=encoder.layers, width=encoder.width, window=1), encoder)
    config = EmoteConfig(
        audio=audio, styles=("average", "clear"), latent=8, prior_width=8, width=16, heads=2, layers=1, mel_bands=8
    )
    content = ContentModel(config).eval().requires_grad_(False)
    return EmoteModel(config, encoder, content, None, made_bank(), made_rig())


def save_feeling_model(path: Path) -> Path:
    """Write a tiny model whose emotions show."""
    made = made_model()
    config = replace(made.config, emotion_layers=1, emotion_width=8, emotion_heads=2, emotion_latent=8)
    emotion = EmotionModel(config)
    for weight in emotion.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    save_emote(path, config, made.encoder, made.content, made.bank, notes={}, emotion=emotion)
    return path


@pytest.fixture(scope="session")
def model() -> EmoteModel:
    return made_model()


@pytest.fixture(scope="session")
def sound() -> Sound:
    voice = tone(11.28)
    return Sound((voice / voice.std()).astype(np.float32))
