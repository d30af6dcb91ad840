from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.audio.features import EncodedFeatures
from emo_core.curve import Curve
from emo_core.emote.head import mean_speed
from emo_core.emote.speak import SpeakRequest, encode, speak, speak_blocks
from emo_core.errors import InputError
from emo_core.face.coefficients import BLINK, BROW, MOUTH
from emo_core.media.sound import Sound


@pytest.mark.parametrize("fps", [12, 24, 25, 29.97, 60])
def test_a_motion_is_as_long_as_its_sound_at_any_frame_rate(model, sound, fps):
    motion = speak(sound, model, SpeakRequest(fps=fps))
    assert len(motion) == round(sound.seconds * fps)
    assert motion.fps == fps
    assert 0 <= motion.coefficients.min() <= motion.coefficients.max() <= 1


def test_another_frame_rate_is_the_same_motion(model, sound):
    slow, fast = (speak(sound, model, SpeakRequest(fps=fps)) for fps in (25, 50))
    np.testing.assert_allclose(slow.resampled(50).rotation[3:-3], fast.rotation[3:-3], atol=1e-4)
    np.testing.assert_allclose(slow.resampled(50).coefficients[3:-3], fast.coefficients[3:-3], atol=1e-5)


def test_a_seed_gives_one_motion(model, sound):
    first, again, other = (speak(sound, model, SpeakRequest(seed=seed)) for seed in (1, 1, 2))
    assert (first.rotation == again.rotation).all()
    assert (first.coefficients == again.coefficients).all()
    assert np.abs(first.rotation - other.rotation).max() > 0.1
    assert (first.curves(MOUTH) == other.curves(MOUTH)).all()


def test_blocks_join_to_the_whole(model, sound):
    shares = []
    parts = list(speak_blocks(sound, model, SpeakRequest(fps=30), progress=shares.append))
    assert len(parts) == 2
    assert sum(map(len, parts)) == len(speak(sound, model, SpeakRequest(fps=30)))
    assert shares[-1] == 1


def test_amounts_of_zero_switch_off(model, sound):
    motion = speak(sound, model, SpeakRequest(mouth=0, head=0, brows=0, blinks=0, gaze=0))
    assert not motion.curves((*MOUTH, *BLINK, *BROW)).any()
    assert not motion.rotation.any()
    assert not motion.translation.any()
    assert not motion.gaze.any()


def test_the_head_moves_as_fast_as_asked(model, sound):
    speeds = (0.0, 0.1, 0.3, 0.6)
    made = [mean_speed(speak(sound, model, SpeakRequest(speed=Curve.constant(speed))).rotation) for speed in speeds]
    np.testing.assert_allclose(made, speeds, rtol=0.1)


def test_a_curve_of_speed_is_followed(model, sound):
    motion = speak(sound, model, SpeakRequest(speed=Curve((0, 5, 6, 11), (0, 0, 0.6, 0.6))))
    assert mean_speed(motion.rotation[:120]) < 0.02
    assert mean_speed(motion.rotation[160:]) > 0.2


def test_eyes_hold_the_camera_while_the_head_turns(model, sound):
    motion = speak(sound, model, SpeakRequest(speed=Curve.constant(0.6)))
    assert np.corrcoef(motion.gaze[:, 0], motion.rotation[:, 1])[0, 1] < -0.5


def test_lips_are_closed_in_silence(model, sound):
    quiet = sound.waveform.copy()
    quiet[4 * 16000 : 5 * 16000] *= 1e-3
    motion = speak(Sound(quiet), model, SpeakRequest())
    assert not motion.curves(MOUTH)[105:120].any()


def test_features_of_another_encoder(model, sound):
    config = model.config.audio
    other = {"seconds": sound.seconds, "fps": 25, "window": config.window}
    features = EncodedFeatures(torch.randn(564, config.layers, config.width), **other)
    assert len(speak(sound, model, SpeakRequest(), features=features)) == 282
    with pytest.raises(InputError, match=r"got 3 layers .* this model was trained with 2 of width 16"):
        speak(sound, model, SpeakRequest(), features=EncodedFeatures(torch.randn(565, 3, 16), **other))


def test_a_sound_that_is_encoded_once_says_the_same(model, sound):
    kept = speak(sound, model, SpeakRequest(), features=encode(sound, model))
    np.testing.assert_array_equal(kept.coefficients, speak(sound, model, SpeakRequest()).coefficients)


def test_a_very_short_sound(model):
    assert len(speak(Sound(np.ones(1600, np.float32)), model, SpeakRequest())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 0}, "fps: got 0"),
        ({"mouth": -1}, "mouth: got -1"),
        ({"blinks": 9}, "blinks: got 9"),
        ({"smoothing": 99}, "smoothing: got 99"),
        ({"speed": Curve.constant(7)}, "speed: got 7"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_requests_that_no_face_follows(change, message):
    with pytest.raises(InputError, match=message):
        replace(SpeakRequest(), **change)


def test_an_unknown_style(model, sound):
    assert len(speak(sound, model, SpeakRequest(style="clear")))
    with pytest.raises(InputError, match=r"style: got 'sung'; this model knows average, clear"):
        speak(sound, model, SpeakRequest(style="sung"))
