"""Features of another encoder as a voice."""

import pytest
import torch

from emo_core.audio.config import AudioFeaturesConfig
from emo_core.audio.voice import Excerpt, voice_from_features

CONFIG = AudioFeaturesConfig(layers=2, width=4)


@pytest.mark.parametrize("start", [0.0, 0.5, 0.97, 0.985, 0.999])
def test_a_voice_may_start_anywhere_before_the_end(start):
    features = torch.arange(49.0)[:, None, None].expand(-1, 2, 4)  # One second.
    voice = voice_from_features(features, 16_000, None, CONFIG, Excerpt(fps=25, start=start))
    windows = voice.features.windows(0, voice.features.frames)
    assert len(windows) == voice.features.frames >= 1
    assert float(windows.max()) == pytest.approx(48, abs=1)
