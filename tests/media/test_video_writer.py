"""The written mp4: length, sound, sizes, mark, and no file after an error."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.codec.codec import UnknownCodecError

from emo_core.errors import InputError
from emo_core.media.sound_track import FileTrack
from emo_core.media.video_writer import VideoWriter
from tests.conftest import tone


def frames(count: int, height: int = 64, width: int = 64) -> np.ndarray:
    ramp = np.linspace(0, 255, count * height * width * 3).reshape(count, height, width, 3)
    return ramp.astype(np.uint8)


def write_all(writer: VideoWriter, pictures: np.ndarray) -> None:
    for picture in pictures:
        writer.write(picture)


def probe(path) -> dict:
    with av.open(str(path)) as container:
        video = sum(1 for _ in container.decode(video=0))
    with av.open(str(path)) as container:
        sound = (
            sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
            if container.streams.audio
            else 0
        )
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return {
            "frames": video,
            "sound": sound,
            "rate": stream.average_rate,
            "size": (stream.width, stream.height),
            "format": stream.codec_context.pix_fmt,
            "codec": stream.codec_context.name,
            "duration": container.duration / 1e6,
            "metadata": dict(container.metadata),
        }


@pytest.mark.parametrize("rate", [16000, 44100, 96000])
def test_length_rate_and_sound(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(1.2, rate)] * 2, -1), rate)
    with VideoWriter(tmp_path / "v.mp4", fps=25, size=(64, 64), sound=tmp_path / "a.wav") as writer:
        write_all(writer, frames(12))
        write_all(writer, frames(18))
    got = probe(tmp_path / "v.mp4")
    assert (got["frames"], got["rate"], got["format"]) == (30, 25, "yuv420p")
    assert got["duration"] == pytest.approx(1.2, abs=0.03)
    assert got["sound"] == pytest.approx(1.2, abs=0.05)


def test_sound_is_cut_to_the_given_seconds(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(3.0), 16000)
    with VideoWriter(tmp_path / "v.mp4", fps=25, size=(64, 64), sound=tmp_path / "a.wav", seconds=1.0) as writer:
        write_all(writer, frames(25))
    assert probe(tmp_path / "v.mp4")["duration"] == pytest.approx(1.0, abs=0.03)


def test_sound_stays_in_sync(tmp_path):
    wave = np.zeros(16000 * 2, np.float32)
    wave[16000:16400] = 0.9  # A click at one second.
    soundfile.write(tmp_path / "a.wav", wave, 16000)
    with VideoWriter(tmp_path / "v.mp4", fps=25, size=(64, 64), sound=tmp_path / "a.wav") as writer:
        write_all(writer, frames(50))
    with av.open(str(tmp_path / "v.mp4")) as container:
        parts = [
            (float(f.pts * f.time_base), np.abs(f.to_ndarray()[0]), f.sample_rate) for f in container.decode(audio=0)
        ]
    loudest = max(parts, key=lambda part: part[1].max())
    assert loudest[0] + loudest[1].argmax() / loudest[2] == pytest.approx(1.0, abs=0.03)


def test_odd_sizes_and_fractional_rates(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", fps=29.97, size=(65, 63)) as writer:
        write_all(writer, frames(5, 63, 65))
    got = probe(tmp_path / "v.mp4")
    assert got["size"] == (66, 64) and float(got["rate"]) == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize("side", [64, 720])
def test_colours_survive(tmp_path, side):
    red = np.zeros((side, side, 3), np.uint8)
    red[:] = (200, 40, 90)
    with VideoWriter(tmp_path / "v.mp4", fps=25, size=(side, side)) as writer:
        writer.write(red)
    with av.open(str(tmp_path / "v.mp4")) as container:
        frame = next(container.decode(video=0))
        assert int(frame.colorspace) == 1  # BT.709, which players assume for HD.
        picture = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    assert np.abs(picture.astype(int) - red).max() <= 6


def test_the_metadata_marks_the_video_as_generated(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", fps=25, size=(64, 64), settings={"seed": 7, "checkpoint": "x"}) as writer:
        write_all(writer, frames(2))
    metadata = probe(tmp_path / "v.mp4")["metadata"]
    assert metadata["title"] == "AI-generated video"
    mark = json.loads(metadata["comment"])
    assert mark["ai_generated"] is True and mark["seed"] == 7 and mark["checkpoint"] == "x"


def test_nothing_is_left_after_an_error(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"the old one")
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "v.mp4", fps=25, size=(64, 64)) as writer:
        write_all(writer, frames(3))
        raise KeyboardInterrupt
    assert (tmp_path / "v.mp4").read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


class Lacking:
    """A file that cannot have a stream of some encoder, or any at all."""

    def __init__(self, container, encoder, error):
        self._container, self._encoder, self._error = container, encoder, error

    def __getattr__(self, name):
        return getattr(self._container, name)

    def add_stream(self, encoder, **options):
        if encoder == self._encoder:
            raise self._error
        return self._container.add_stream(encoder, **options)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        ("libx264", UnknownCodecError("libx264"), "built without the encoder libx264; install the one from PyPI"),
        ("aac", UnknownCodecError("aac"), "built without the encoder aac"),
        ("libx264", av.FFmpegError(28, "No space left on device"), "cannot write"),
    ],
)
def test_nothing_is_left_if_an_encoder_is_missing(tmp_path, monkeypatch, encoder, error, message):
    soundfile.write(tmp_path / "a.wav", tone(0.3), 16000)
    plain = av.open

    def lacking(name, mode="r", **options):
        opened = plain(name, mode, **options)
        if mode == "r":
            return opened
        Path(name).touch()  # Not every PyAV waits with it.
        return Lacking(opened, encoder, error)

    sound = FileTrack(tmp_path / "a.wav")
    monkeypatch.setattr(av, "open", lacking)
    with pytest.raises(InputError, match=message), VideoWriter(tmp_path / "v.mp4", fps=25, size=(64, 64), sound=sound):
        pytest.fail("the writer was entered")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_unwritable_output_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"), VideoWriter(tmp_path / "file" / "v.mp4", fps=25, size=(8, 8)):
        pass
    (tmp_path / "d.mp4").mkdir()
    with pytest.raises(InputError, match="is a folder"), VideoWriter(tmp_path / "d.mp4", fps=25, size=(8, 8)):
        pass
