"""Source videos: cover pictures, timestamps, shapes of pixels, sound."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from emo_core.errors import InputError
from emo_core.media.video_reader import SoundReader, frames_at, open_source, scene_starts, sound_of


@pytest.mark.parametrize("name", ["cover.mp4", "cover.mp3"])
def test_a_cover_picture_is_no_video(tmp_path, name):
    with av.open(str(tmp_path / name), "w") as container:
        sound = container.add_stream("aac" if name.endswith("mp4") else "mp3", rate=16000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 96
        cover.pix_fmt = "yuvj420p"
        cover.disposition = 0x400
        frame = av.VideoFrame.from_ndarray(np.zeros((96, 96, 3), np.uint8), format="rgb24")
        for packet in [*cover.encode(frame), *cover.encode(None)]:
            container.mux(packet)
        part = av.AudioFrame.from_ndarray(np.full((1, 8000), 8000, np.int16), format="s16", layout="mono")
        part.rate = 16000
        container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    with pytest.raises(InputError, match="only a cover picture"):
        open_source(tmp_path / name)


def stored(path, picture, aspect=1):
    """A video of one picture (H, W, 3), whose pixels are `aspect` times as wide as high."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width = picture.shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(aspect)
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
    return path


def held_sideways(path):
    """Write into the track's header that it is shown turned by 90 degrees clockwise."""
    content = path.read_bytes()
    straight, turned = (struct.pack(">9i", *m) for m in ((1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30),
                                                         (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)))  # fmt: skip
    before, mark, track = content.partition(b"tkhd")
    path.write_bytes(before + mark + track.replace(straight, turned, 1))
    return path


def disc(height, width):
    """A white disc on black, of half the picture's height and width."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows + 0.5) / height - 0.5) ** 2 + ((columns + 0.5) / width - 0.5) ** 2 < 0.25**2
    return np.repeat(inside[..., None] * np.uint8(255), 3, axis=2)


@pytest.mark.parametrize(("width", "aspect"), [(64, Fraction(3, 2)), (128, Fraction(3, 4))])
def test_wide_and_narrow_pixels_are_made_square(tmp_path, width, aspect):
    source = open_source(stored(tmp_path / "wide.mp4", disc(96, width), aspect))
    (_, picture), *_ = frames_at(source, 25)
    assert picture.shape == (96, 96, 3)
    lit = picture[..., 0] > 128
    assert lit.any(0).sum() == pytest.approx(48, abs=2) and lit.any(1).sum() == pytest.approx(48, abs=2)


def test_a_rotated_video_is_shown_upright(tmp_path):
    """Also if its stored pixels are not square."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = 255
    for aspect, size in ((1, (96, 64)), (Fraction(2, 3), (64, 64))):
        source = open_source(held_sideways(stored(tmp_path / "phone.mp4", picture, aspect)))
        (_, shown), *_ = frames_at(source, 25)
        assert shown.shape[:2] == size
        light = shown[: size[0] // 2, size[1] // 2 :]  # What was at the top left is at the top right.
        assert light.mean() > 240 and shown.mean() == pytest.approx(64, abs=4)


def test_cuts_are_counted_from_the_first_frame(tmp_path):
    """The timestamps of a transport stream begin anywhere."""
    pictures = np.random.default_rng(0).integers(0, 255, (2, 96, 96, 3), dtype=np.uint8)
    options = {"muxdelay": "0", "output_ts_offset": "10"}
    with av.open(str(tmp_path / "cut.ts"), "w", options=options) as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 96
        video.pix_fmt = "yuv420p"
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(pictures[number // 50], format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    source = open_source(tmp_path / "cut.ts")
    assert source.start > 1
    assert scene_starts(source) == pytest.approx([0.0, 2.0], abs=0.05)


def with_sound(path, start):
    """A black video of one second whose sound, a ramp of half a second, starts at `start` in seconds."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("flac", rate=16000, layout="mono")
        for t in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = t + 10
            container.mux(video.encode(frame))
        sound = av.AudioFrame.from_ndarray(np.arange(1, 8001, dtype=np.int16)[None], format="s16", layout="mono")
        sound.rate, sound.pts = 16000, round(start * 16000)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
        container.mux(video.encode(None))
    return open_source(path)


@pytest.mark.parametrize(("start", "first"), [(0.4, 0), (0.6, 3200), (0.3, -1600)])
def test_sound_starts_with_the_first_frame(tmp_path, start, first):
    """The first frame is shown at 0.4 s."""
    waveform = sound_of(with_sound(tmp_path / "a.mkv", start))
    assert waveform[max(0, first)] == pytest.approx((1 + max(0, -first)) / 32768, abs=20 / 32768)
    assert len(waveform) == pytest.approx(8000 + first, abs=20)


@pytest.mark.parametrize("start", [0.4, 0.6, 0.3])
def test_stretches_of_the_sound_are_those_of_the_whole(tmp_path, start):
    source = with_sound(tmp_path / "a.mkv", start)
    whole = np.pad(sound_of(source), (0, 16000))
    reader = SoundReader(source)
    for first, last in ((0, 100), (100, 2000), (2500, 3300), (3300, 3300), (5000, 5001), (8100, 13000), (13000, 13500)):
        assert np.array_equal(reader.read(first, last), whole[first:last])


def film(path, codec, packets):
    """A black video of four seconds beside sound; `packets` are arrays (S,) at 16 kHz and their times in seconds."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream(codec, rate=16000, layout="mono")
        encoded = []
        for t in range(100):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = t
            encoded += video.encode(frame)
        for start, wave in packets:
            form = audio.codec_context.format.name
            samples = wave if form == "fltp" else (wave * 32767).astype(np.int16)
            sound = av.AudioFrame.from_ndarray(samples[None], format=form, layout="mono")
            sound.rate, sound.pts, sound.time_base = 16000, round(start * 16000), Fraction(1, 16000)
            encoded += audio.encode(sound)
        for packet in sorted([*encoded, *audio.encode(None), *video.encode(None)], key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def damaged(path, source, until):
    """The same film, whose sound before `until` in seconds cannot be decoded."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        streams = [container.add_stream_from_template(stream) for stream in given.streams]
        for packet in given.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio" and packet.pts * packet.time_base < until:
                bad = av.Packet(b"\x10" + b"\xee" * (packet.size + 3))
                bad.pts, bad.dts, bad.time_base = packet.pts, packet.dts, packet.time_base
                bad.stream = streams[packet.stream.index]
                container.mux(bad)
            else:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return open_source(path)


def steady(seconds):
    return (0.3 * np.sin(np.arange(round(seconds * 16000)) / 16000 * 2 * np.pi * 300)).astype(np.float32)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_damage_at_the_start_of_the_sound_is_silence(tmp_path, suffix):
    """The sound behind it stays beside its pictures."""
    beeps = np.zeros(64000, np.float32)
    for second in (1, 2, 3):
        beeps[second * 16000 : second * 16000 + 1600] = steady(0.1)
    source = film(tmp_path / "whole.mkv", "aac", [(0.0, beeps)])
    waveform = sound_of(damaged(tmp_path / f"front.{suffix}", source, until=1.5))
    heard = np.flatnonzero(np.abs(waveform) > 0.1) / 16000
    assert heard.min() == pytest.approx(2.0, abs=0.04)
    assert set(heard.astype(int)) <= {1, 2, 3} and heard.max() == pytest.approx(3.1, abs=0.04)


def test_of_overlapping_packets_only_the_overlap_is_left_out(tmp_path):
    """From 1.5 s on, a recorder's clock is 40 ms early."""
    wave = steady(4.0)
    starts = np.arange(0, 64000, 4096)
    packets = [(start / 16000 - (0.04 if start > 24000 else 0.0), wave[start : start + 4096]) for start in starts]
    waveform = sound_of(open_source(film(tmp_path / "overlap.mkv", "pcm_s16le", packets)))
    assert len(waveform) == pytest.approx(64000 - 640, abs=16)
    assert np.abs(waveform[: len(waveform) // 160 * 160]).reshape(-1, 160).max(1).min() > 0.2


def test_a_gap_in_the_timestamps_is_silence(tmp_path):
    wave = steady(1.0)
    waveform = sound_of(open_source(film(tmp_path / "gap.mkv", "pcm_s16le", [(0.0, wave), (2.5, wave)])))
    assert len(waveform) == pytest.approx(56000, abs=16)
    quiet = np.abs(waveform).reshape(-1, 160).max(1) < 0.001
    assert quiet.sum() == pytest.approx(150, abs=2) and quiet[101:249].all()


def test_a_film_ends_before_a_timestamp_that_is_far_away(tmp_path):
    with av.open(str(tmp_path / "jump.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        for t in (*range(50), 25 * 3600):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = t
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    assert sum(1 for _ in frames_at(open_source(tmp_path / "jump.mkv"), 25)) == 50
