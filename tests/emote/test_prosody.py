import numpy as np

from emo_core.emote.prosody import Prosody
from tests.conftest import tone


def listened(waveform, seconds):
    return Prosody((waveform / waveform.std()).astype(np.float32), round(seconds * 25), 25.0)


def test_a_pause_is_found_and_ramps_lie_inside():
    sound = tone(6)
    sound[2 * 16000 : 3 * 16000] = 0
    prosody = listened(sound, 6)
    assert prosody.pause[52:73].all()
    assert not prosody.pause[:48].any()
    openness = prosody.openness
    assert (openness[:49] == 1).all()
    assert (openness[56:70] == 0).all()
    assert 0 < openness[51] < 1


def test_a_stop_consonant_is_no_pause():
    sound = tone(4)
    sound[32000:34400] = 0
    assert not listened(sound, 4).pause.any()


def test_noise_between_words_is_a_pause():
    sound = tone(6)
    sound[2 * 16000 : 3 * 16000] = 0
    noisy = sound + 0.01 * sound.std() * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    assert listened(noisy, 6).pause[53:72].all()


def test_pitch_is_in_semitones_over_the_usual():
    time = np.arange(16000 * 2) / 16000
    voice = [sum(np.sin(2 * np.pi * f * k * time) / k for k in range(1, 8)) for f in (120, 120, 240)]
    pitch = listened(np.concatenate(voice).astype(np.float32), 6).pitch(0, 150)
    assert np.abs(np.median(pitch[:90])) < 0.5
    assert abs(np.median(pitch[110:140]) - 12) < 0.5


def test_features_reach_past_the_end():
    prosody = listened(tone(2), 2)
    features = prosody.features(40, 60)
    assert features.shape == (20, 3)
    assert (features[10:] == features[9]).all()
    assert not np.isnan(features).any()


def test_a_part_is_measured_like_the_whole():
    prosody = listened(tone(30), 30)
    np.testing.assert_allclose(prosody.pitch(0, 750)[520:600], prosody.pitch(520, 600), atol=1e-3)
