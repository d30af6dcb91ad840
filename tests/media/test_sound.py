"""Decoding and normalising sound files."""

import av
import numpy as np
import pytest
import soundfile
import torch

from emo_core.audio import voice
from emo_core.errors import InputError
from emo_core.media.sound import load_sound, mono_16k, prepare_sound, speech_level
from emo_core.media.sound_track import WaveTrack
from tests.conftest import CONFIG, tone


def write_with_av(path, wave, rate, codec, layout="stereo"):
    """Encode with FFmpeg, for the formats that libsndfile does not write."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        form = stream.codec_context.format.name
        channels = 1 if layout == "mono" else 2
        resampler = av.AudioResampler(
            format=form, layout=layout, rate=rate, frame_size=stream.codec_context.frame_size or None
        )
        frame = av.AudioFrame.from_ndarray(
            np.tile(wave, (channels, 1)).astype(np.float32), format="fltp", layout=layout
        )
        frame.sample_rate = rate
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("suffix", "rate"), [("wav", 44100), ("flac", 22050), ("ogg", 48000), ("wav", 8000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_libsndfile_formats_are_read(tmp_path, suffix, rate, channels):
    wave = tone(0.8, rate)
    path = tmp_path / f"voice.{suffix}"
    soundfile.write(path, np.stack([wave] * channels, -1), rate)
    sound = load_sound(path)
    assert sound.seconds == pytest.approx(0.8, abs=0.005)
    assert speech_level(sound.waveform) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("suffix", "codec", "rate"), [("mp3", "libmp3lame", 44100), ("m4a", "aac", 48000)])
def test_lossy_formats_are_read(tmp_path, suffix, codec, rate):
    path = tmp_path / f"voice.{suffix}"
    write_with_av(path, tone(0.8, rate), rate, codec)
    assert load_sound(path).seconds == pytest.approx(0.8, abs=0.08)


def test_the_sound_track_of_a_real_video_is_read(data):
    sound = load_sound(data / "grid_s1" / "bbaf2n.mp4")
    assert sound.seconds == pytest.approx(3.0, abs=0.05)


def test_resampling_keeps_the_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1.0, 48000), 48000)
    soundfile.write(tmp_path / "b.wav", tone(1.0, 16000), 16000)
    a, b = (load_sound(tmp_path / name).waveform for name in ("a.wav", "b.wav"))
    assert np.corrcoef(a[:15000], b[:15000])[0, 1] > 0.99


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (16000, 2), (22050, 6)])
def test_a_long_sound_is_resampled_in_blocks(rate, channels):
    """FFmpeg refuses frames of 2 GiB; the samples are those of one frame."""
    wave = np.stack([tone(2.3, rate) * (k + 1) / channels for k in range(channels)])
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
    frame.rate = rate
    resampler = av.AudioResampler(format="fltp", layout="mono" if channels == 1 else "stereo", rate=16000)
    whole = np.concatenate([part.to_ndarray() for block in (frame, None) for part in resampler.resample(block)], axis=1)
    assert np.allclose(mono_16k(wave, rate), whole.mean(0), atol=1e-6)
    assert max(block.samples for block in WaveTrack(wave, rate).frames()) <= 16384


def test_mono_does_not_cancel():
    """Opposite phases, the same in the middle of a file only, one side alone, and speakers on both sides."""
    voice = tone(6.0)
    half = np.concatenate([voice[:48000], -voice[48000:]])
    for right in (-voice, -0.4 * voice, half, 0 * voice):
        mixed = mono_16k(np.stack([voice, right]), 16000)
        seconds = mixed.reshape(6, 16000)
        assert len(mixed) == len(voice)
        assert min(np.sqrt((seconds**2).mean(1))) > 0.4 * np.sqrt((voice**2).mean())
        assert all(
            abs(np.corrcoef(part, own)[0, 1]) > 0.95 for part, own in zip(seconds, voice.reshape(6, -1), strict=True)
        )
    other = np.roll(tone(6.0), 5000) * np.repeat([1, 0, 1, 0, 1, 0], 16000)
    speakers = np.stack([voice * np.repeat([0, 1, 0, 1, 0, 1], 16000), other]).astype(np.float32)
    assert np.allclose(mono_16k(speakers, 16000), speakers.mean(0), atol=1e-6)


def test_the_phase_changes_without_a_click():
    voice = np.sin(np.arange(96000) / 16000 * 2 * np.pi * 200).astype(np.float32)
    mixed = mono_16k(np.stack([voice, np.concatenate([voice[:48000], -voice[48000:]])]), 16000)
    assert np.abs(np.diff(mixed)).max() < 1.1 * np.abs(np.diff(voice)).max()


def test_a_centre_channel_keeps_its_level():
    """As in FFmpeg's own mix to stereo: 3 dB less on both sides."""
    voice = tone(1.0, 48000)
    track = WaveTrack(np.stack([0 * voice, 0 * voice, voice, 0 * voice, 0 * voice, 0 * voice]), 48000).stereo()
    assert track.channels == 2
    assert np.allclose(track.waveform, np.stack([voice, voice]) / np.sqrt(2), atol=1e-4)
    sixteen = WaveTrack(np.stack([voice] * 16), 48000).stereo()
    assert np.allclose(sixteen.waveform, voice[None], atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 0.01, 0.05, 0.3, -0.2])
@pytest.mark.parametrize("hertz", [0, 50, 60])
def test_offsets_and_hum_do_not_reach_the_encoder(offset, hertz):
    clean = prepare_sound(tone(3.0)).waveform
    hum = 0.05 * np.sin(np.arange(48000) / 16000 * 2 * np.pi * hertz)
    disturbed = prepare_sound((tone(3.0) + offset + hum).astype(np.float32)).waveform
    assert np.corrcoef(clean, disturbed)[0, 1] > (0.98 if hertz else 0.999)


def test_an_offset_without_a_sound_is_silent():
    with pytest.raises(InputError, match="is silent"):
        prepare_sound(np.full(16000, 0.3, np.float32))


@pytest.mark.parametrize(
    ("start", "seconds"), [(0.0, None), (0.0, 1.5), (2.37, 1.11), (3.999, None), (8.5, 3.0), (9.95, None)]
)
def test_an_excerpt_has_the_samples_of_the_whole_sound(monkeypatch, start, seconds):
    """Only its surroundings are resampled."""
    wave, resampled, encoded = np.stack([tone(10.1, 44100)] * 2), [], []
    monkeypatch.setattr(voice, "mono_16k", lambda part, rate: resampled.append(part.shape[1]) or mono_16k(part, rate))

    def encode(samples):
        encoded.append(samples[0].numpy())
        return torch.zeros(1, samples.shape[1] // 320, CONFIG.audio.layers, CONFIG.audio.width)

    excerpt = voice.Excerpt(fps=25.0, start=start, seconds=seconds)
    voice.encode_audio(WaveTrack(wave, 44100), encode, CONFIG.audio, excerpt).features.windows(0, 1)
    first = round(start * 16000)
    cut = mono_16k(wave, 44100)[first : None if seconds is None else first + round(seconds * 16000)]
    assert np.array_equal(encoded[0], prepare_sound(cut).waveform)
    assert seconds is None or resampled[0] <= (seconds + 4) * 44100


def test_loudness_is_normalised():
    loud, quiet = prepare_sound(tone(1.0)), prepare_sound(tone(1.0) * 0.01)
    assert np.allclose(loud.waveform, quiet.waveform, atol=1e-5)


def test_pauses_do_not_change_the_level_of_speech():
    speech = tone(1.0)
    padded = np.concatenate([np.zeros(48000, np.float32), speech, np.zeros(48000, np.float32)])
    a, b = prepare_sound(speech).waveform, prepare_sound(padded).waveform[48000:64000]
    assert np.abs(b).max() == pytest.approx(np.abs(a).max(), rel=0.15)


def test_max_seconds_cuts_the_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2.0), 16000)
    assert load_sound(tmp_path / "a.wav", max_seconds=0.5).seconds == 0.5


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file at"):
        load_sound(tmp_path / "nothing.wav")


def test_a_text_named_wav_is_refused(tmp_path):
    (tmp_path / "text.wav").write_text("these are words, not sound")
    with pytest.raises(InputError, match="cannot be decoded as sound"):
        load_sound(tmp_path / "text.wav")


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_an_empty_sound_is_refused(tmp_path, seconds):
    soundfile.write(tmp_path / "empty.wav", tone(seconds), 16000)
    with pytest.raises(InputError, match=r"lasts|cannot be decoded"):
        load_sound(tmp_path / "empty.wav")


def test_a_silent_sound_is_refused(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000, np.float32), 16000)
    with pytest.raises(InputError, match=r"silent \(peak -180 dBFS\)"):
        load_sound(tmp_path / "silent.wav")


def test_nan_samples_are_refused():
    wave = tone(1.0)
    wave[100] = np.nan
    with pytest.raises(InputError, match="NaN"):
        prepare_sound(wave)


def test_a_video_without_sound_is_refused(tmp_path):
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no sound track"):
        load_sound(tmp_path / "mute.mp4")


@pytest.mark.parametrize(("suffix", "codec"), [("flac", "flac"), ("mka", "aac")])
def test_a_sound_that_is_cut_off_is_read_with_a_warning(tmp_path, caplog, suffix, codec):
    write_with_av(tmp_path / f"a.{suffix}", tone(4.0, 48000), 48000, codec)
    content = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(content[: len(content) * 6 // 10])
    assert 2.0 < load_sound(tmp_path / f"cut.{suffix}").seconds < 2.8
    assert "cut off at" in caplog.text or "no sound can be decoded after" in caplog.text
    caplog.clear()
    load_sound(tmp_path / f"a.{suffix}")
    assert not caplog.text
