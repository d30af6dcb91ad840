"""Emotion on a speaking face: neutral is exactly speech, lids that blink close, closed lips stay closed, styles and strengths act."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.emote.action_units import CURVES, PROTOTYPES, prototypes, style_vector
from emo_core.emote.closure import opening_of, with_gap
from emo_core.emote.emotion_model import EmotionModel
from emo_core.emote.speak import SpeakRequest, speak
from emo_core.emote.weights import load_emote, save_emote
from emo_core.emotion import EXPRESSIVE, EmotionCurve
from emo_core.errors import InputError
from emo_core.face.coefficients import BLINK, MOUTH, mirrored
from emo_core.face.rig import load_rig
from emo_core.media.sound import Sound

RIG = load_rig()


@pytest.fixture(scope="module")
def moody(model):
    """The tiny model with an emotion model that is not zero."""
    torch.manual_seed(1)
    config = replace(model.config, emotion_layers=1, emotion_width=8, emotion_heads=2, emotion_latent=8)
    emotion = EmotionModel(config).eval().requires_grad_(False)
    emotion.squash.weight.normal_(std=0.2)
    return replace(model, config=config, emotion=emotion, rig=RIG)


def said(model, sound, text, **options):
    return speak(sound, model, SpeakRequest(emotion=EmotionCurve.parse(text), **options))


def test_without_emotion_the_face_only_speaks(moody, sound):
    plain = speak(sound, replace(moody, emotion=None), SpeakRequest())
    np.testing.assert_array_equal(said(moody, sound, "happy@0").coefficients, plain.coefficients)


def test_an_untrained_emotion_model_changes_nothing(moody, sound):
    fresh = replace(moody, emotion=EmotionModel(moody.config).eval().requires_grad_(False))
    plain = speak(sound, moody, SpeakRequest())
    np.testing.assert_allclose(said(fresh, sound, "anger").coefficients, plain.coefficients, atol=2e-3)


def test_emotion_begins_where_its_curve_begins(moody):
    sound = Sound(np.random.default_rng(0).normal(size=16000 * 14).astype(np.float32))
    plain = speak(sound, moody, SpeakRequest())
    made = said(moody, sound, "0:neutral, 9:neutral, 9.5:sad")
    change = np.abs(made.coefficients - plain.coefficients).max(1)
    assert change[: 25 * 5].max() == 0
    assert change[-50:].max() > 0.01


def test_styles_differ_and_repeat(moody, sound):
    first, again, other = (said(moody, sound, "fear", emotion_style=style).coefficients for style in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_a_blinking_lid_is_not_wide():
    shipped, sound = load_emote(), Sound(np.zeros(16000 * 8, np.float32))
    made, plain = said(shipped, sound, "surprise@1.5"), speak(sound, shipped, SpeakRequest())
    for blink in BLINK:
        shut = made.curve(blink) > 0.95
        assert shut.any()
        wide = blink.replace("Blink", "Wide")
        change = np.abs(made.curve(wide) - plain.curve(wide))
        assert change[shut].max() < 0.2 * change[made.curve(blink) < 0.05].max()


def test_a_model_without_emotions_says_so(model, sound):
    with pytest.raises(InputError, match="trained without emotions"):
        said(model, sound, "happy")


def test_emotion_weights_round_trip(moody, tmp_path, sound):
    path = tmp_path / "moody.safetensors"
    save_emote(path, moody.config, moody.encoder, moody.content, moody.bank, emotion=moody.emotion, notes={})
    loaded = load_emote(path)
    assert loaded.config.emotion_layers == 1
    np.testing.assert_allclose(
        said(loaded, sound, "disgust").coefficients, said(moody, sound, "disgust").coefficients, atol=0.02
    )
    save_emote(path, moody.config, moody.encoder, moody.content, moody.bank, notes={})
    assert load_emote(path).emotion is None


def test_the_gap_is_reached_by_the_least_change():
    opening = opening_of(RIG, MOUTH)
    values = np.zeros((3, len(MOUTH)))
    values[:, MOUTH.index("jawOpen")] = (0.3, 0.1, 0.3)
    values[:, MOUTH.index("mouthSmileLeft")] = 0.8
    wanted = np.array([0.0, 0.03, 0.06])
    made = with_gap(values, wanted, opening, MOUTH)
    np.testing.assert_allclose(made @ opening, wanted, atol=1e-3)
    np.testing.assert_array_equal(made[:, MOUTH.index("mouthSmileLeft")], 0.8)
    assert (made >= 0).all() and (made <= 1).all()


def test_a_gap_that_is_right_already_stays():
    values = np.random.default_rng(0).uniform(0, 0.5, (5, len(MOUTH)))
    opening = opening_of(RIG, MOUTH)
    np.testing.assert_allclose(with_gap(values, values @ opening, opening, MOUTH), values)


def test_the_average_person_is_symmetric_but_for_contempt():
    mirror = [CURVES.index(mirrored(name)) for name in CURVES]
    for emotion, row in zip(EXPRESSIVE, prototypes(style_vector(0)), strict=True):
        assert (row.max() > 0.4) and (row <= 1).all()
        assert np.allclose(row, row[mirror]) == (emotion != "contempt")


def test_styles_take_and_drop_units():
    shown = np.stack([prototypes(style_vector(style)) for style in range(1, 60)])
    sad = shown[:, EXPRESSIVE.index("sad"), CURVES.index("browInnerUp")]
    assert sad.min() < 0.2 < 0.7 < sad.max()
    contempt = shown[:, EXPRESSIVE.index("contempt")]
    left, right = (contempt[:, CURVES.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    assert (left > 2 * right).any() and (right > 2 * left).any()


def test_every_emotion_has_a_prototype():
    assert tuple(PROTOTYPES) == EXPRESSIVE
