import dataclasses

import numpy as np
import pytest
import torch

from emo_core.audio.features import EncodedFeatures, EncodedFrames
from emo_core.avatar.person_motion import (
    USUAL_BLINKS,
    Person,
    blinks_a_minute,
    count_blinks,
    head_speed,
    learn_person,
    person_bank,
)
from emo_core.avatar.spoken import PersonRequest, speak_person
from emo_core.emote.closure import opening_of
from emo_core.emote.head import mean_speed
from emo_core.emote.speak import BLOCK
from emo_core.emote.weights import load_emote
from emo_core.emotion import EmotionCurve
from emo_core.errors import CheckpointError, InputError
from emo_core.face.coefficients import BROW, MOUTH
from emo_core.face.motion import concatenated
from emo_core.media.sound import Sound, load_sound
from tests.avatar.persons import person
from tests.conftest import tone

BLINKS = tuple(range(20, 700, 75))
"""Every 3 s."""


@pytest.fixture(scope="module")
def emote():
    torch.set_num_threads(1)
    return load_emote()


@pytest.fixture(scope="module")
def track(emote, data):
    """28 s of two voices."""
    names = ("librispeech_198-209-0000.ogg", "librispeech_3436-172162-0000.ogg")
    return person([load_sound(data / "speech" / name) for name in names], emote, blinks=BLINKS)


@pytest.fixture(scope="module")
def known(track, emote):
    return learn_person(track, emote, emote.rig)


@pytest.fixture(scope="module")
def sound(data):
    return load_sound(data / "speech" / "jfk.flac")


def spoken(sound, emote, known, **request):
    return concatenated(list(speak_person(sound, emote, known, PersonRequest(**request))))


@pytest.fixture(scope="module")
def said(sound, emote, known):
    return spoken(sound, emote, known)


def test_blocks_join_without_a_seam(sound, emote, known, said):
    shares = []
    parts = list(speak_person(sound, emote, known, PersonRequest(), progress=shares.append))
    assert [len(part) for part in parts] == [BLOCK, round(sound.seconds * 25) - BLOCK]
    assert shares[-1] == 1
    for values in (said.rotation, said.curves(MOUTH), said.translation):
        steps = np.abs(np.diff(values, axis=0)).max(1)
        assert steps[BLOCK - 1] <= np.quantile(steps, 0.99)


def test_a_seed_gives_one_motion(sound, emote, known, said):
    again, other = spoken(sound, emote, known), spoken(sound, emote, known, seed=1)
    for part in ("rotation", "translation", "coefficients"):
        np.testing.assert_array_equal(getattr(again, part), getattr(said, part))
    assert np.abs(other.rotation - said.rotation).max() > 0.1
    np.testing.assert_array_equal(other.curves(MOUTH), said.curves(MOUTH))


def test_a_still_head_is_still(sound, emote, known, said):
    still = spoken(sound, emote, known, head="still")
    assert not still.rotation.any()
    assert not still.translation.any()
    np.testing.assert_array_equal(still.curves(MOUTH), said.curves(MOUTH))
    np.testing.assert_array_equal(still.curves(BROW), said.curves(BROW))


def test_amounts_of_zero_switch_off(sound, emote, known):
    none = spoken(sound, emote, known, mouth_amount=0, head_amount=0, brows_amount=0, blinks_amount=0)
    assert not none.curves((*MOUTH, *BROW)).any()
    assert not none.rotation.any()
    assert count_blinks(none) == 0


def test_the_head_is_as_fast_and_turns_as_far_as_the_persons(said, track, known):
    np.testing.assert_allclose(mean_speed(said.rotation), head_speed(track), rtol=0.2)
    np.testing.assert_allclose(said.rotation.std(0).sum(), track.motion.rotation.std(0).sum(), rtol=0.3)


@pytest.mark.slow
def test_blinks_come_at_the_persons_rate(track, known, emote):
    np.testing.assert_allclose(known.blinks, 20, rtol=0.15)
    wave = tone(60)
    long = spoken(Sound((wave / wave.std()).astype(np.float32)), emote, known)
    np.testing.assert_allclose(count_blinks(long), known.blinks, rtol=0.3)


def test_few_blinks_mean_the_usual_rate_and_usual_lids(emote, data):
    short = person([load_sound(data / "speech" / "jfk.flac", max_seconds=6)], emote, blinks=(30,))
    assert blinks_a_minute(short) == USUAL_BLINKS
    found = learn_person(short, emote, emote.rig)
    np.testing.assert_array_equal(found.bank.blinks, emote.bank.blinks)
    assert len(found.bank.rotation) == 150
    assert len(spoken(load_sound(data / "speech" / "jfk.flac"), emote, found)) == 275


def test_an_emotion_moves_the_brows_and_keeps_closed_lips(emote, known, sound, said):
    angry = spoken(sound, emote, known, emotion=EmotionCurve.constant("angry", 1.0))
    assert np.abs(angry.curves(BROW) - said.curves(BROW)).max() > 0.1
    opening = opening_of(emote.rig, MOUTH)
    closed = said.curves(MOUTH) @ opening < 0.002
    assert closed.sum() > 10
    assert (angry.curves(MOUTH) @ opening)[closed].max() < 0.012


def test_features_of_another_encoder_are_refused(emote, known, sound):
    config = emote.config.audio
    wrong = EncodedFeatures(
        torch.zeros(round(sound.seconds * 50), config.layers, 2 * config.width),
        seconds=sound.seconds,
        fps=25,
        window=config.window,
    )
    with pytest.raises(InputError, match="its own encoder"):
        next(speak_person(sound, emote, known, PersonRequest(), features=wrong))


class Watched(EncodedFrames):
    """Knows the last frame that was asked for."""

    last = 0

    def windows(self, start, stop):
        self.last = max(self.last, stop)
        return super().windows(start, stop)


def test_a_long_sound_begins_at_once(emote, known, sound):
    """Ten minutes, of which some seconds are heard before the first block."""
    long = Sound(np.resize(sound.waveform, 600 * 16000))
    config = emote.config.audio
    features = Watched(torch.zeros(1, config.layers, config.width).expand(15000, -1, -1), config.window)
    blocks = speak_person(long, emote, known, PersonRequest(), features=features)
    assert len(next(blocks)) == BLOCK
    assert features.last < 2 * BLOCK


def test_a_bank_holds_what_is_shown(track):
    shown = np.ones(len(track), bool)
    shown[100:110] = shown[118:120] = False
    bank = person_bank(dataclasses.replace(track, shown=shown))
    first, second = (take.frames for take in track.takes)
    room = np.concatenate([np.arange(100, 0, -1), np.arange(first - 120, 0, -1), np.arange(second, 0, -1)])
    np.testing.assert_array_equal(bank.room, room)
    steps = np.diff(track.motion.rotation[:100], axis=0)
    np.testing.assert_allclose(np.diff(bank.rotation[:100], axis=0), steps, atol=1e-5)
    assert len(person_bank(track).blinks) == len(BLINKS)
    with pytest.raises(InputError, match="without a break"):
        person_bank(dataclasses.replace(track, shown=np.arange(len(track)) % 20 > 0))


def test_the_pose_of_a_short_film_is_left_out(track):
    turned = track.motion.rotation.copy()
    turned[: track.takes[0].frames] += 8
    moved = person_bank(dataclasses.replace(track, motion=dataclasses.replace(track.motion, rotation=turned)))
    shown = np.arange(len(track)) < 100
    short = dataclasses.replace(track, shown=shown, motion=dataclasses.replace(track.motion, rotation=turned))
    np.testing.assert_allclose(person_bank(short).rotation.mean(0), 0, atol=1e-4)
    assert moved.rotation[: track.takes[0].frames].mean() > 3  # A long one keeps more of it.


def test_takes_without_sound_join_only_if_none_has_any(track):
    mute = [dataclasses.replace(take, sound=None) for take in track.takes]
    half = dataclasses.replace(track, takes=(mute[0], track.takes[1]))
    assert len(person_bank(half).rotation) == track.takes[1].frames
    assert len(person_bank(dataclasses.replace(track, takes=tuple(mute))).rotation) == len(track)


def test_a_person_survives_their_arrays(known, emote, sound, said):
    back = Person.from_arrays(known.arrays())
    again = spoken(sound, emote, back)
    np.testing.assert_allclose(again.rotation, said.rotation, atol=1e-4)
    np.testing.assert_allclose(again.coefficients, said.coefficients, atol=1e-4)
    assert back.blinks == pytest.approx(known.blinks)


def test_broken_persons_are_refused(known):
    arrays = known.arrays()
    for broken in (
        {"person.numbers": np.array([np.nan, 1])},
        {"bank.gaze": np.zeros((3, 2))},
        {"speech.bias": np.zeros(0)},
    ):
        with pytest.raises(CheckpointError):
            Person.from_arrays(arrays | broken)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"head": "dancing"}, {"mouth_amount": 4}, {"emotion_style": -1}])
def test_requests_are_checked(wrong):
    with pytest.raises(InputError):
        PersonRequest(**wrong)
