"""The shape of a model as frozen dataclasses, with the presets `tiny`, `mini`, `sd15` and `hallo`."""

from pathlib import Path

from .model import EMOConfig
from .parts import (
    AudioConfig,
    BlockConfig,
    DiffusionConfig,
    EmotionConfig,
    GuideConfig,
    IdentityConfig,
    SpeedConfig,
    TemporalConfig,
    UNetConfig,
    VAEConfig,
)
from .presets import HALLO, MINI, PRESETS, SD15, TINY

EMO_MINI = Path(__file__).resolve().parents[3] / "models" / "emo-mini.safetensors"
"""The embedded default."""
EMO_MINI_FEW = EMO_MINI.with_name("emo-mini-few.safetensors")
"""The same, distilled: a few steps of one pass each."""

__all__ = [
    "EMO_MINI",
    "EMO_MINI_FEW",
    "HALLO",
    "MINI",
    "PRESETS",
    "SD15",
    "TINY",
    "AudioConfig",
    "BlockConfig",
    "DiffusionConfig",
    "EMOConfig",
    "EmotionConfig",
    "GuideConfig",
    "IdentityConfig",
    "SpeedConfig",
    "TemporalConfig",
    "UNetConfig",
    "VAEConfig",
]
