"""The sounds of the cases, as ComfyUI's Load Audio gives them to Load Audio Wav2Vec."""

import av
import numpy as np
import pytest
import torch

from emo_core.media.sound import decode_sound, mono_16k
from emo_core.media.sound_frames import resampled
from emo_core.media.sound_track import FileTrack
from tests.conftest import CASES
from tests.nodes.conftest import module

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the shared folder beside the checkout")


def load_audio(name):
    """AUDIO of a file: its channels as they are stored."""
    with av.open(str(CASES / name)) as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray().reshape(-1, stream.channels).T for frame in container.decode(stream)]
        rate = stream.rate
    return {"waveform": torch.from_numpy(np.concatenate(frames, axis=1) / np.float32(2**15))[None], "sample_rate": rate}


def rms(waveform):
    return float(np.sqrt(np.mean(np.square(waveform))))


def test_a_voice_in_the_centre_is_as_loud_as_from_the_command_line():
    track = module(".nodes.host.audio").to_track(load_audio("centre-only.flac"))
    written = np.concatenate(list(resampled(FileTrack(CASES / "centre-only.flac").frames(), "stereo", None)), axis=1)
    assert track.channels == 2
    assert 20 * np.log10(rms(track.waveform) / rms(written)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", ["opposite-phase.flac", "centre-only.flac"])
def test_the_encoder_hears_the_voice(nodes, model, name):
    audio = load_audio(name)
    voice = nodes.LoadAudioWav2Vec.execute(model, 0.0, 0.0, 0.0, 0.0, audio=audio)[0]
    assert voice.features.frames == 50
    heard = mono_16k(voice.track.waveform, voice.track.rate)
    same = decode_sound(CASES / name)
    assert np.corrcoef(heard, same[: len(heard)])[0, 1] > 0.999
    assert rms(heard) > 0.01
