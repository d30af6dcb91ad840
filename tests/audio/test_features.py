"""wav2vec features at the video's rate: alignment, windows, chunks."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2Model

from emo_core.audio.encoder import AudioEncoder, load_encoder, with_encoder
from emo_core.audio.features import AudioFeatures, at_frames, frame_count
from emo_core.emo.config import AudioConfig
from emo_core.errors import CheckpointError, InputError
from emo_core.media.sound import Sound, load_sound
from tests.conftest import CONFIG, TINY_ENCODER, tone


@pytest.fixture(scope="module")
def encoder() -> AudioEncoder:
    torch.manual_seed(0)
    return AudioEncoder.from_config(CONFIG.audio)


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(1.0, 25, 25), (1.23, 25, 31), (0.001, 25, 1), (10.01, 29.97, 300)]
)
def test_the_video_is_as_long_as_the_sound(seconds, fps, frames):
    assert frame_count(seconds, fps) == frames


def test_layers_are_transformers_hidden_states(encoder):
    wave = torch.from_numpy(tone(1.0))[None]
    with torch.no_grad():
        got = encoder(wave)[0]
        states = encoder.net(wave, output_hidden_states=True).hidden_states
    assert got.shape == (49, CONFIG.audio.layers, CONFIG.audio.width)
    assert all(torch.equal(got[:, i], states[i + 1][0]) for i in range(CONFIG.audio.layers))


def test_layers_are_the_same_in_every_version_of_transformers(encoder):
    """Version 4 gives the last layer's output after the final norm, version 5 before it, as emo-mini was trained."""
    wave, seen = torch.from_numpy(tone(1.0))[None], []
    hook = encoder.net.encoder.layers[-1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.nn.init.normal_(encoder.net.encoder.layer_norm.weight)
    with torch.no_grad():
        got = encoder(wave)[:, :, -1]
    hook.remove()
    (output,) = seen
    assert torch.equal(got, output[0] if isinstance(output, tuple) else output)
    assert {"net.encoder.layer_norm.weight", "net.encoder.layer_norm.bias"} <= encoder.state_dict().keys()


def test_frames_read_the_feature_at_their_middle():
    # A feature whose value is the time of its centre must give back the time of each frame's middle.
    centres = (torch.arange(150) * 320 + 200) / 16000
    got = at_frames(centres[:, None, None], 0, 70, 25.0)[:, 0, 0]
    assert torch.allclose(got, (torch.arange(70) + 0.5) / 25, atol=1e-5)


def test_windows_are_neighbours_clamped_at_the_ends(encoder):
    features = AudioFeatures(Sound(tone(1.0)), encoder, fps=25, window=2)
    windows = features.windows(0, 25)
    assert windows.shape == (25, 5, CONFIG.audio.layers, CONFIG.audio.width)
    centre = windows[:, 2]
    assert torch.equal(windows[10], centre[8:13])
    assert torch.equal(windows[0], centre[[0, 0, 0, 1, 2]])
    assert torch.equal(windows[24], centre[[22, 23, 24, 24, 24]])
    beyond = features.windows(20, 32)  # The last clip is padded past the end of the sound.
    assert torch.equal(beyond[-1], centre[[24] * 5])


def test_chunks_agree_with_a_single_pass(encoder):
    sound = Sound(tone(9.0))
    whole = AudioFeatures(sound, encoder, fps=25, window=2).windows(0, 225)
    chunked = AudioFeatures(sound, encoder, fps=25, window=2, chunk_seconds=2.0)
    parts = torch.cat([chunked.windows(start, start + 45) for start in range(0, 225, 45)])
    assert ((parts - whole).norm() / whole.norm()).item() < 0.02


def test_only_two_chunks_are_kept(encoder):
    features = AudioFeatures(Sound(tone(10.0)), encoder, fps=25, window=2, chunk_seconds=1.0)
    for start in range(0, 250, 12):
        features.windows(start, start + 12)
    assert len(features._chunks) == 2


def test_embedded_encoder_chunks_agree_on_real_speech(data):
    from emo_core.emo.config import EMO_MINI
    from emo_core.emo.weights.checkpoint import load_checkpoint

    encoder = load_checkpoint(EMO_MINI).audio_encoder
    sound = load_sound(data / "speech" / "jfk.flac")
    whole = AudioFeatures(sound, encoder, fps=25, window=2).windows(0, 275)
    chunked = AudioFeatures(sound, encoder, fps=25, window=2, chunk_seconds=6.0).windows(0, 275)
    difference = ((chunked - whole).norm() / whole.norm()).item()
    assert difference < 0.12, difference


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(1)
    model = Wav2Vec2Model(Wav2Vec2Config(**TINY_ENCODER))
    model.save_pretrained(tmp_path / "wav2vec2")
    return tmp_path / "wav2vec2"


def test_an_encoder_is_read_from_a_folder_or_a_file(folder):
    wave = torch.from_numpy(tone(0.5))[None]
    from_folder = load_encoder(folder, CONFIG.audio)
    from_file = load_encoder(folder / "model.safetensors", CONFIG.audio)
    with torch.no_grad():
        assert torch.allclose(from_folder(wave), from_file(wave), atol=1e-6)


def test_a_checkpoint_can_contain_the_encoder(folder):
    encoder = load_encoder(folder, CONFIG.audio)
    rebuilt = AudioEncoder.from_config(with_encoder(CONFIG.audio, encoder))
    rebuilt.load_state_dict(encoder.state_dict())
    wave = torch.from_numpy(tone(0.5))[None]
    with torch.no_grad():
        assert torch.equal(rebuilt(wave), encoder(wave))


def test_encoder_of_another_size_is_refused(folder):
    with pytest.raises(CheckpointError, match=r"2 layers of width 16.*12 of width 768"):
        load_encoder(folder, AudioConfig())


def test_other_and_incomplete_models_are_refused(folder, tmp_path):
    weights = load_file(folder / "model.safetensors")
    for key in [key for key in weights if ".k_proj." in key]:
        del weights[key]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    for path in (folder, folder / "model.safetensors"):
        with pytest.raises(CheckpointError, match=r"no whole wav2vec2: 4 weights are missing.*k_proj"):
            load_encoder(path, CONFIG.audio)


def test_chunks_agree_for_encoders_that_normalise_over_time(tmp_path):
    """wav2vec2-base's first layer normalises each channel over the whole chunk."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(**{**TINY_ENCODER, "feat_extract_norm": "group", "do_stable_layer_norm": False})
    encoder = AudioEncoder(Wav2Vec2Model(config)).eval()
    sound = Sound(tone(20.0))
    whole = AudioFeatures(sound, encoder, fps=25, window=2, chunk_seconds=100).windows(0, 500)
    chunked = AudioFeatures(sound, encoder, fps=25, window=2, chunk_seconds=6.0).windows(0, 500)
    assert ((chunked - whole).norm() / whole.norm()).item() < 0.02


def test_missing_and_wrong_encoders_are_refused(tmp_path):
    with pytest.raises(InputError, match="nothing at"):
        load_encoder(tmp_path / "nowhere", CONFIG.audio)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="cannot be opened as a wav2vec2"):
        load_encoder(tmp_path / "other.safetensors", CONFIG.audio)


def test_the_encoder_config_is_json():
    assert json.loads(CONFIG.audio.encoder) == TINY_ENCODER
