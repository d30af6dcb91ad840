import numpy as np
import torch

from emo_core.audio.features import AudioFeatures
from emo_core.emote.config import FPS
from emo_core.emote.distance_attention import DistanceLayer
from emo_core.emote.listening import Listening, Spectrum
from emo_core.emote.mouth import MouthTrack, closed
from emo_core.emote.prior import MotionEncoder
from emo_core.emote.prosody import Prosody
from emo_core.emote.windows import BLOCK
from emo_core.media.sound import Sound


def listening(model, sound):
    features = AudioFeatures(sound, model.encoder, fps=FPS, window=model.config.audio.window)
    return Listening(sound, features, model.config)


def track(model, sound, **changes):
    heard = listening(model, sound)
    options = {"curves": model.config.curves, "style": 0, "amount": 1.0, "smoothing": 0.0} | changes
    return MouthTrack(model.content, heard, Prosody(sound.waveform, heard.frames, FPS), model.rig, **options)


def test_the_residual_starts_at_zero(model):
    inputs = torch.randn(2, 32, model.config.inputs)
    style = model.content.style.weight[:1].expand(2, -1)
    made = model.content(inputs, style).coefficients
    free = model.content(inputs, style, torch.randn(2, model.config.free_width)).coefficients
    assert made.shape == (2, 32, len(model.config.curves))
    assert torch.equal(made, free)


def test_attention_knows_distance_and_not_place():
    torch.manual_seed(0)
    layer = DistanceLayer(16, 4).eval()
    x = torch.randn(1, 200, 16)
    np.testing.assert_allclose(
        layer(x)[0, 100].detach(), layer(torch.nn.functional.pad(x, (0, 0, 100, 0)))[0, 200].detach(), atol=0.05
    )


def test_windows_are_the_same_however_they_are_asked(model, sound):
    whole = track(model, sound).take(0, 282)
    parts = track(model, sound)
    np.testing.assert_allclose(whole, np.concatenate([parts.take(0, 37), parts.take(37, 200), parts.take(200, 282)]))
    np.testing.assert_allclose(whole[100:150], track(model, sound).take(100, 150))


def test_windows_join_without_a_step(model, sound):
    values = track(model, sound).take(0, 282)
    steps = np.abs(np.diff(values, axis=0)).max(1)
    joints = [BLOCK * k - 1 for k in range(1, 4)]
    assert steps[joints].max() <= 2 * steps.max()
    assert 0 <= values.min() <= values.max() <= 1


def test_smoothing_smooths(model, sound):
    rough, smooth = (track(model, sound, smoothing=sigma).take(0, 280) for sigma in (0.0, 2.0))
    assert np.abs(np.diff(smooth, axis=0)).mean() <= np.abs(np.diff(rough, axis=0)).mean()


def test_the_spectrum_of_a_part_is_that_of_the_whole(sound):
    spectrum = Spectrum(sound, 20)
    np.testing.assert_allclose(spectrum.frames(0, 282)[100:130], spectrum.frames(100, 130), atol=1e-4)
    assert spectrum.frames(270, 282).shape == (12, 20)


def test_inputs_have_the_size_of_the_config(model, sound):
    assert listening(model, sound).inputs(3, 20).shape == (17, model.config.inputs)


def test_a_sound_that_is_shorter_than_a_window(model):
    short = Sound(np.ones(3200, np.float32))
    assert track(model, short).take(0, 5).shape == (5, len(model.config.curves))


def test_the_priors_encoder_gives_one_latent_for_a_patch(model):
    mean, spread = MotionEncoder(model.config, count=len(model.config.curves), latent=model.config.latent)(
        torch.rand(2, 32, len(model.config.curves))
    )
    assert mean.shape == spread.shape == (2, 8, model.config.latent)


def test_closing_lips_meet_and_do_not_pass_through_each_other():
    opening = np.array([0.3, 0.1, -0.2, 0.0])
    values = np.array([[0.2, 0.2, 0.1, 0.5], [0.2, 0.2, 0.1, 0.5], [0.0, 0.1, 0.9, 0.5]])
    made = closed(values, opening, np.array([0.0, 1.0, 0.0]))
    gaps = made @ opening
    np.testing.assert_allclose(made[0], values[0])
    assert abs(gaps[1]) < 1e-9
    assert -0.004 < gaps[2] <= 0
    assert (made[:, 3] == 0.5).all()
