import numpy as np
import pytest

from emo_core.emote.voice_cues import LONGEST, RATE, phrases, syllables, voice_cues
from emo_core.emote.voice_emotion import APART, arousal, propose
from emo_core.emotion import NEUTRAL, EmotionCurve
from emo_core.errors import InputError
from emo_core.media.sound import SAMPLE_RATE, Sound, load_sound, prepare_sound
from tests.conftest import tone

TIME = SAMPLE_RATE


def speech(seconds, *, pitch, tilt, swing=2.0, rate=3.0):
    """Harmonics of a wandering pitch, `tilt` dB per octave, in syllables."""
    time = np.arange(round(seconds * TIME)) / TIME
    hertz = pitch * 2 ** (swing / 12 * np.sin(2 * np.pi * 0.4 * time))
    phase = 2 * np.pi * np.cumsum(hertz) / TIME
    count = int(7000 / pitch)
    voice = sum(10 ** (tilt * np.log2(k) / 20) * np.sin(k * phase) for k in range(1, count))
    return (voice / voice.std() * (0.55 - 0.45 * np.cos(2 * np.pi * rate * time))).astype(np.float32)


CALM = {"pitch": 115, "tilt": -7}
SHOUT = {"pitch": 300, "tilt": -2, "swing": 3.5}
SILENCE = np.zeros(TIME, np.float32)


def proposed(*parts):
    return propose(prepare_sound(np.concatenate(parts)))


@pytest.mark.parametrize("pitch", [100, 125, 190, 215])
def test_calm_speech_of_low_and_high_voices_stays_neutral(pitch):
    assert proposed(speech(5, pitch=pitch, tilt=-7)) is NEUTRAL


def test_a_tense_high_voice_is_aroused():
    curve = proposed(speech(3, **SHOUT))
    assert max(sum(point) for point in curve.strengths) > 0.4
    assert "sad" not in str(curve)


def test_more_high_frequencies_are_more_arousal():
    found = [arousal(voice_cues(prepare_sound(speech(3, pitch=140, tilt=tilt)))[0]) for tilt in (-12, -9, -6, -3)]
    assert found == sorted(found)


def test_a_slow_dull_flat_voice_is_sad_at_most_weakly():
    curve = proposed(speech(6, pitch=100, tilt=-18, swing=0.3, rate=1.2))
    assert "sad" in str(curve)
    assert max(max(point) for point in curve.strengths) <= 0.6


def test_the_curve_follows_the_voice_and_is_text_to_edit():
    curve = proposed(speech(6, **CALM), SILENCE, speech(3, **SHOUT), SILENCE, speech(6, **CALM))
    total = curve.at_frames(17 * 25, 25).sum(1)
    assert total[8 * 25 : 9 * 25].max() > 0.4
    assert total[: 2 * 25].max() == total[-2 * 25 :].max() == 0
    assert np.abs(np.diff(total)).max() < 0.05
    assert EmotionCurve.parse(str(curve)) == curve


def test_points_are_few_and_name_two_emotions_at_most():
    parts = [speech(1.5, **(SHOUT if k % 3 else CALM)) for k in range(12)]
    curve = proposed(*[sound for part in parts for sound in (part, SILENCE[: TIME // 2])])
    assert np.diff(curve.seconds).min() >= APART - 0.11
    assert all(sum(amount > 0 for amount in point) <= 2 for point in curve.strengths)


def test_level_of_the_recording_does_not_matter():
    voice = np.concatenate([speech(4, **CALM), SILENCE, speech(3, **SHOUT)])
    assert proposed(voice) == proposed(voice * 0.01)


def test_strength_multiplies():
    sound = prepare_sound(speech(3, **SHOUT))
    full, half = propose(sound), propose(sound, strength=0.5)
    assert np.allclose(half.strengths, np.array(full.strengths) / 2, atol=0.026)
    assert propose(sound, strength=0) is NEUTRAL


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan"), float("inf")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(InputError, match="strength: got"):
        propose(prepare_sound(tone(1)), strength=strength)


def test_noise_and_clicks_have_no_emotion():
    rng = np.random.default_rng(0)
    assert proposed(rng.normal(size=3 * TIME).astype(np.float32)) is NEUTRAL
    assert propose(Sound(np.eye(1, 2 * TIME, 99, dtype=np.float32)[0])) is NEUTRAL
    assert propose(Sound(tone(0.1))) is NEUTRAL


def test_short_phrases_are_joined_and_long_ones_divided():
    pause = np.zeros(20 * RATE, bool)
    for first, last in ((1.0, 1.3), (2.0, 2.4), (10, 12)):
        pause[round(first * RATE) : round(last * RATE)] = True
    found = list(phrases(pause))
    assert found[0] == (0, 2 * RATE)
    assert all(last - first <= 1.5 * LONGEST * RATE for first, last in found)
    assert list(phrases(np.ones(50, bool))) == []
    assert list(phrases(np.zeros(50, bool))) == [(0, 50)]


def test_syllables_are_counted():
    time = np.arange(4 * RATE) / RATE
    assert syllables(-6 + 5 * np.cos(2 * np.pi * 3 * time - 1)) == pytest.approx(12, abs=1)
    assert syllables(np.full(100, -50.0)) == 0


def test_acted_anger_is_more_aroused_than_neutral_speech(data):
    folder = data / "emotion" / "ravdess_audio_tests_only"
    levels = {}
    for name in ("angry_strong", "neutral_normal"):
        sounds = [load_sound(path) for path in sorted(folder.glob(f"*_{name}.flac"))]
        levels[name] = [np.mean([arousal(cues) for cues in voice_cues(sound)]) for sound in sounds]
        if name == "neutral_normal":
            assert all(propose(sound) is NEUTRAL for sound in sounds)
    assert np.mean(np.greater.outer(levels["angry_strong"], levels["neutral_normal"])) > 0.9


def test_an_address_stays_neutral(data):
    assert propose(load_sound(data / "talk" / "us_gov" / "obama_20s.mp4")) is NEUTRAL
