"""The filters' limits and reasons, on labels and sounds of known numbers."""

import numpy as np
import pytest

from emo_core.dataset.filters import Rules, filter_clip
from emo_core.dataset.labels import Labels
from emo_core.metrics.lip_sync import lag, loudness, speech_share
from tests.conftest import tone

OPTIONS = {"fps": 25, "side": 1.0, "margin": 0.2, "rules": Rules()}


def test_a_profile_is_recognised_by_its_pose():
    angle = np.deg2rad(75)
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    labels = Labels(
        boxes=np.zeros((50, 4)), mouths=np.zeros((50, 4)), poses=np.tile(pose, (50, 1, 1)),
        speed=np.zeros(50), opening=np.zeros(50),
    )  # fmt: skip
    assert np.abs(labels.yaw) == pytest.approx(75)
    rejection = filter_clip(labels, 120, tone(2.0), **OPTIONS)
    assert rejection.reason == "profile" and "60 degrees in 100%" in rejection.detail


def test_late_sound_is_rejected():
    rng = np.random.default_rng(1)
    syllables = np.convolve(rng.random(250) > 0.7, np.hanning(7), "same")
    sound = np.repeat(syllables, 640) * np.sin(np.arange(250 * 640) / 16000 * 2 * np.pi * 500) * 0.3
    for frames in (0, 6, -4):
        loud = loudness(np.roll(sound, frames * 640), 250, 25.0)
        late, best, _ = lag(syllables, loud, 25.0)
        assert late == pytest.approx(frames / 25, abs=0.021)
        assert best > 0.6
    labels = Labels(
        boxes=np.zeros((250, 4)), mouths=np.zeros((250, 4)), poses=np.tile(np.eye(4), (250, 1, 1)),
        speed=np.zeros(250), opening=syllables,
    )  # fmt: skip
    assert filter_clip(labels, 120, sound, **OPTIONS) is None
    assert filter_clip(labels, 120, np.roll(sound, 6 * 640), **OPTIONS).reason == "bad sync"


def test_speech_share_is_zero_for_silence_and_noise():
    assert speech_share(np.zeros(50)) == 0
    assert speech_share(np.full(50, 0.1)) == 0
    assert speech_share(loudness(tone(2.0), 50, 25.0)) > 0.5
