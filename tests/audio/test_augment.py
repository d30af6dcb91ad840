"""Augmented sounds: level, noise, voice, unchanged timing."""

import numpy as np
import pytest

from emo_core.audio.augment import Alteration
from emo_core.errors import InputError
from tests.conftest import tone


def test_the_defaults_change_nothing():
    sound = tone(0.5)
    assert np.allclose(Alteration()(sound), sound)


def test_gain_and_noise_are_in_decibels():
    sound = tone(0.5)
    assert np.allclose(Alteration(gain=-20)(sound), sound / 10, atol=1e-6)
    noise = Alteration(noise=10)(sound) - sound
    assert 10 * np.log10(np.mean(sound**2) / np.mean(noise**2)) == pytest.approx(10, abs=0.2)
    assert not np.array_equal(Alteration(noise=10)(sound, seed=1), Alteration(noise=10)(sound, seed=2))


def test_another_voice_is_higher_and_keeps_the_timing():
    seconds = np.arange(16000) / 16000
    sound = np.sin(2 * np.pi * 400 * seconds).astype(np.float32) * (seconds > 0.5)
    higher = Alteration(voice=1.25)(sound)
    assert len(higher) == len(sound)
    loudest = np.abs(np.fft.rfft(higher[9000:15000])).argmax() * 16000 / 6000
    assert loudest == pytest.approx(500, abs=6)
    assert np.abs(higher[:7000]).max() < 0.05 < np.abs(higher[9000:15000]).max()
    with pytest.raises(InputError, match=r"expected 0\.5"):
        Alteration(voice=3)
