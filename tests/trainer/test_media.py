"""Source videos as they come: cover pictures, odd clocks, lengths."""

import av
import numpy as np
import pytest

from emo_core.errors import InputError
from emo_core.trainer.judge import Rules
from emo_core.trainer.media import open_source, scenes
from emo_core.trainer.track import Run, pieces


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


def test_cuts_are_told_from_the_first_frame_on(tmp_path):
    """Transport streams begin at any time."""
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
    assert [start for start, _ in scenes(source)] == pytest.approx([0.0, 2.0], abs=0.05)


def test_no_piece_is_shorter_than_asked_for():
    run = Run(0, np.zeros((325, 478, 3)), np.zeros(325), 0.0)  # 13 seconds.
    halves = pieces(run, 25, Rules(min_seconds=2, max_seconds=10))
    assert sorted(len(part.landmarks) for part in halves) == [162, 163]
    (whole,) = pieces(run, 25, Rules(min_seconds=8, max_seconds=10))
    assert len(whole.landmarks) == 250
