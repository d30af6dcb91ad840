import dataclasses

import numpy as np
import pytest
import torch

from emo_core.avatar.heard import Hearing
from emo_core.avatar.person_speech import PersonSpeech, Voice, learn_speech
from emo_core.avatar.ridge import PENALTIES, Scaling, Waves, best_reading, unseen_predictions, weights_at
from emo_core.avatar.takes import SAMPLES
from emo_core.emote.closure import opening_of
from emo_core.emote.weights import load_emote
from emo_core.errors import Cancelled, CheckpointError, InputError
from emo_core.media.sound import Sound, load_sound
from tests.avatar.persons import cut, own_way, person


@pytest.fixture(scope="module")
def emote():
    torch.set_num_threads(1)
    return load_emote()


@pytest.fixture(scope="module")
def learnt(emote, data):
    """15 s of a voice, and the speech that is learnt from them."""
    sound = load_sound(data / "speech" / "librispeech_198-209-0000.ogg", max_seconds=15)
    track = person([sound], emote)
    return track, learn_speech(track, emote, emote.rig)


@pytest.fixture(scope="module")
def heard(emote, data):
    """Another voice, of 8 s, with three seconds of silence."""
    wave = load_sound(data / "speech" / "jfk.flac", max_seconds=8).waveform.copy()
    wave[90 * SAMPLES : 165 * SAMPLES] *= 1e-3
    hearing = Hearing(Sound(wave), emote)
    return hearing.take(0, hearing.frames), hearing.prosody


def said(speech, heard, prosody, emote):
    curves = emote.config.curves
    return speech.mouth(heard, Voice.of(prosody), opening_of(emote.rig, curves), curves)


def test_a_mouth_is_learnt_that_opens_as_far_as_the_persons(emote, learnt, heard):
    heard, prosody = heard
    curves, spoken = emote.config.curves, ~prosody.pause
    true, made = own_way(heard.content, curves, 9), said(learnt[1], heard, prosody, emote)
    jaw, smile = curves.index("jawOpen"), curves.index("mouthSmileLeft")
    assert np.corrcoef(made[spoken, jaw], true[spoken, jaw])[0, 1] > 0.85
    assert 0.8 < made[spoken, jaw].std() / true[spoken, jaw].std() < 1.2
    assert heard.content[spoken, jaw].std() < 0.75 * true[spoken, jaw].std()
    assert np.corrcoef(made[spoken, smile], true[spoken, smile])[0, 1] > 0.6


def test_lips_close_in_silence_and_stay_in_bounds(emote, learnt, heard):
    heard, prosody = heard
    made = said(learnt[1], heard, prosody, emote)
    assert 0 <= made.min() <= made.max() <= 1
    gap = made @ opening_of(emote.rig, emote.config.curves)
    assert prosody.pause[100:155].all()
    assert gap[102:153].max() < 0.006
    assert gap[~prosody.pause].max() > 0.04
    assert np.abs(np.diff(made[115:140], axis=0)).max() < 0.01  # No tremble where nobody speaks.


def test_speech_survives_its_arrays(emote, learnt, heard):
    speech = learnt[1]
    back = PersonSpeech.from_arrays(speech.arrays())
    np.testing.assert_array_equal(said(back, *heard, emote), said(speech, *heard, emote))


@pytest.mark.parametrize("name", ["mixture", "gaps", "bias", "share"])
def test_broken_arrays_are_refused(learnt, name):
    arrays = learnt[1].arrays()
    values = np.asarray(arrays[name])
    for broken in ({name: np.full_like(values, np.nan)}, {name: np.zeros((3, 5, 2))}):
        with pytest.raises(CheckpointError, match="speech is broken"):
            PersonSpeech.from_arrays(arrays | broken)
    with pytest.raises(CheckpointError, match="no speech"):
        PersonSpeech.from_arrays({key: part for key, part in arrays.items() if key != name})


def test_another_emote_model_is_refused(emote, learnt):
    other = dataclasses.replace(learnt[1], model=learnt[1].model + 1)
    learnt[1].check(emote)
    with pytest.raises(InputError, match="another emote model"):
        other.check(emote)


def test_films_without_a_voice_are_refused(emote, learnt):
    track = learnt[0]
    silent = [dataclasses.replace(take, sound=None) for take in track.takes]
    with pytest.raises(InputError, match="no sound"):
        learn_speech(dataclasses.replace(track, takes=tuple(silent)), emote, emote.rig)
    with pytest.raises(InputError, match="no frame"):
        learn_speech(dataclasses.replace(track, shown=np.zeros(len(track), bool)), emote, emote.rig)


def test_a_word_is_too_little_and_two_seconds_are_not(emote, learnt, data):
    voice = load_sound(data / "speech" / "jfk.flac", max_seconds=4)
    with pytest.raises(InputError, match="speech; expected"):
        learn_speech(person([cut(voice, 0.3, 1.5)], emote), emote, emote.rig)
    learn_speech(person([cut(voice, 0.3, 2.8)], emote), emote, emote.rig)


def test_learning_can_be_cancelled(emote, learnt):
    def stop(share):
        raise Cancelled

    with pytest.raises(Cancelled):
        learn_speech(learnt[0], emote, emote.rig, progress=stop)


def test_frames_that_are_not_shown_teach_nothing(emote, data):
    """A mouth that stands open where the person is not seen."""
    track = person([cut(load_sound(data / "speech" / "jfk.flac"), 0, 4)], emote)
    wrong = track.motion.coefficients.copy()
    wrong[50:] = 1
    shown = np.arange(len(track)) < 50
    motion = dataclasses.replace(track.motion, coefficients=wrong)
    made = learn_speech(dataclasses.replace(track, motion=motion, shown=shown), emote, emote.rig)
    plain = learn_speech(dataclasses.replace(track, shown=shown), emote, emote.rig)
    np.testing.assert_array_equal(made.sound, plain.sound)


def linear(rows=400, columns=30, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, (rows, columns))
    return x, x @ rng.normal(size=(columns, 4)) + 5


def folds_of(rows, count=4):
    folds = np.arange(rows) * count // rows
    return folds, folds[:, None] == np.arange(count)


def test_a_linear_relation_is_found():
    x, y = linear()
    content = np.zeros_like(y)
    found = best_reading(x, content, y, np.ones(4), (10, 20), folds_of(len(x)))
    np.testing.assert_allclose(x @ found.weights + found.bias, y, atol=0.05 * y.std())
    np.testing.assert_allclose(found.unseen, y, atol=0.1 * y.std())


def test_noise_is_not_predicted_and_the_content_model_is_kept():
    x, content = linear()
    y = content + np.random.default_rng(1).normal(0, 0.1, content.shape)
    noise = np.random.default_rng(2).normal(size=(len(x), 200))
    found = best_reading(noise, content, y, np.ones(4), (200,), folds_of(len(x)))
    assert found.share == 1
    assert np.abs(found.unseen - content).max() < 0.5 < content.std()


def test_a_fold_never_teaches_itself():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 80)), rng.normal(size=(100, 1))
    rows = Scaling.of(x, (80,))(x)
    unseen = unseen_predictions(rows, y, *folds_of(100))
    seen = rows @ next(weights_at(rows.T @ rows, rows.T @ y, 100))
    assert unseen.shape == (len(PENALTIES), 100, 1)
    assert np.corrcoef(seen[:, 0], y[:, 0])[0, 1] > 0.8 > 0.3 > abs(np.corrcoef(unseen[0, :, 0], y[:, 0])[0, 1])


def test_waves_follow_what_no_line_does():
    x = np.random.default_rng(0).normal(size=(600, 3))
    y = np.stack([np.sin(2 * x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    waves = Waves.drawn(Scaling.of(x, (3,)), 300, 1.0, seed=0)
    content, folds = np.zeros_like(y), folds_of(len(x))
    bent = best_reading(waves(x), content, y, np.array([1.0, 0]), (300,), folds)
    straight = best_reading(x, content, y, np.array([1.0, 0]), (3,), folds)
    errors = [np.square(found.unseen - y).mean() for found in (bent, straight)]
    assert errors[0] < 0.3 * errors[1]
    np.testing.assert_array_equal(Waves.drawn(Scaling.of(x, (3,)), 300, 1.0, seed=0).mixture, waves.mixture)
