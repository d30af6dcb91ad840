"""Source videos: scenes, frames at the model's rate, and the sound that belongs to them.

Time 0 is the first frame's. Frame k of a rate r is what a player shows at (k + 1/2) / r seconds, so a video of any rate, also
a variable one, keeps its length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..errors import InputError
from ..files import existing_file
from .sound import SAMPLE_RATE, decode_sound

VIDEO_SUFFIXES = frozenset(".mp4 .mov .mkv .webm .avi .m4v .mpg .mpeg .ts .mts .wmv .flv .ogv .3gp".split())
"""Of the files that are taken from a folder. A file that is named is tried whatever its suffix."""
CUT = 3.0
"""PySceneDetect's adaptive threshold: how far a change stands out from the changes around it (its default)."""
COVER = 0x400
"""FFmpeg's mark of a stream that is a song's cover picture."""
MIN_SCENE = 0.5
"""Seconds: shorter scenes are not told apart."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video file."""

    path: Path
    fps: float
    """Average rate of the file."""
    start: float
    """Timestamp of the first frame in seconds."""
    sound_start: float | None
    """Timestamp of the first sample; None where the file has no sound."""


def open_source(path: Path) -> Source:
    """Look at a file without decoding it.

    Raises:
        InputError: where it is missing or holds no video.
    """
    path = existing_file(path, "video", "a video file with sound")
    try:
        with av.open(str(path.absolute())) as container:
            video = container.streams.video[0]
            if int(getattr(video, "disposition", 0)) & COVER:
                raise ValueError("it has no video, only a cover picture")
            rate = float(video.average_rate or video.guessed_rate or 25)
            sound = container.streams.audio[0] if container.streams.audio else None
            return Source(path, rate, _start(video), None if sound is None else _start(sound))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InputError(f"video: {path} cannot be opened as a video ({error}); give another copy of it") from error


def _start(stream: av.stream.Stream) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def scenes(source: Source) -> list[tuple[float, float]]:
    """Start and end in seconds of every scene between cuts (PySceneDetect's adaptive detector); the last end is open."""
    from scenedetect import AdaptiveDetector, SceneManager, open_video

    manager = SceneManager()
    shortest = max(2, round(MIN_SCENE * source.fps))
    manager.add_detector(AdaptiveDetector(adaptive_threshold=CUT, min_scene_len=shortest))
    manager.detect_scenes(open_video(str(source.path), backend="pyav"))
    found = manager.get_scene_list()
    cuts = [start.get_seconds() - source.start for start, _ in found[1:]]  # It counts from the timestamps' zero.
    return list(zip([0.0, *cuts], [*cuts, float("inf")], strict=True))


def frames_at(source: Source, fps: float, first: int = 0, last: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Stream the video at another rate.

    Args:
        source: the video.
        fps: frames per second wanted.
        first: number of the first frame wanted.
        last: number after the last frame wanted; None for all.

    Yields:
        number and picture (H, W, 3) uint8, upright and of square pixels.

    Raises:
        av.FFmpegError: where the file is damaged.
    """
    number, shown, turned, end = first, None, None, 0.0
    colours = VideoReformatter()  # One for all frames: each would start threads of its own.
    with av.open(str(source.path.absolute())) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        aspect = float(video.sample_aspect_ratio or 1)
        for index, frame in enumerate(container.decode(video=0)):
            time = index / source.fps if frame.time is None else frame.time - source.start
            while shown is not None and (number + 0.5) / fps < time:
                turned = _upright(colours, shown, aspect) if turned is None else turned
                yield number, turned
                number += 1
                if number == last:
                    return
            shown, turned, end = frame, None, time + 1 / source.fps
    while shown is not None and (number + 0.5) / fps < end and number != last:
        yield number, _upright(colours, shown, aspect)
        number += 1


def _upright(colours: VideoReformatter, frame: av.VideoFrame, aspect: float) -> np.ndarray:
    """As it is shown: pixels may be wider than high, and a phone stores what its sensor saw, with how it was held."""
    square = colours.reformat(frame, width=max(1, round(frame.width * aspect)), format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(square, round(getattr(frame, "rotation", 0) / 90) % 4))


def sound_of(source: Source) -> np.ndarray:
    """The whole sound, (S,) float32 at 16 kHz mono, moved so that sample 0 is heard with the first frame.

    Raises:
        ValueError, IndexError, av.FFmpegError: where it cannot be decoded.
    """
    waveform = decode_sound(source.path)
    late = round((source.sound_start - source.start) * SAMPLE_RATE)
    return np.pad(waveform, (late, 0)) if late > 0 else waveform[-late:]
