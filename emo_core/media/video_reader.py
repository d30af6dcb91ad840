"""Source videos: scenes, frames at the model's rate, and the sound that belongs to them.

Time 0 is the time of the first frame. Frame k of rate r is the picture that a player shows at (k + 1/2) / r seconds, so a video
of any rate, also a variable one, keeps its length.

Shape legend: H W picture, S samples.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..errors import InputError
from ..files import existing_file
from .hdr import BT2020, HLG, PQ, to_sdr
from .sound import SAMPLE_RATE, sound_blocks
from .sound_frames import MAX_GAP, choose_track, start_of

VIDEO_SUFFIXES = frozenset(".mp4 .mov .mkv .webm .avi .m4v .mpg .mpeg .ts .mts .wmv .flv .ogv .3gp".split())
"""Suffixes of the files that are read from a folder. A file that is named is read whatever its suffix."""
SCENE_THRESHOLD = 3.0
"""PySceneDetect's adaptive threshold, a ratio to the changes in the frames around (its default)."""
ATTACHED_PICTURE = 0x400
"""FFmpeg's disposition flag of a stream that is a cover picture."""
MIN_SCENE = 0.5
"""Length of the shortest scene in seconds."""
SCENE_WIDTH = 256
"""Width in pixels of the pictures that are searched for cuts (PySceneDetect's default)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video file."""

    path: Path
    fps: float
    """Average rate of the file."""
    start: float
    """Timestamp of the first frame in seconds."""
    sound_start: float | None
    """Timestamp of the first sample in seconds; None if the file has no sound."""
    aspect: float = 1.0
    """Width of a pixel over its height."""
    track: int = 0
    """Number of the sound track that is used; see `choose_track`."""
    curve: int = 0
    """Transfer curve of the colours, by its number in H.273."""


def open_source(path: Path) -> Source:
    """Read the header of a video file.

    Raises:
        InputError: if it is missing or holds no video.
    """
    path = existing_file(path, "video", "a video file with sound")
    try:
        with av.open(str(path.absolute())) as container:
            video = container.streams.video[0]
            if int(getattr(video, "disposition", 0)) & ATTACHED_PICTURE:
                raise ValueError("it has no video, only a cover picture")
            rate = float(video.average_rate or video.guessed_rate or 25)
            track = choose_track(path) if container.streams.audio else None
            return Source(
                path,
                fps=rate,
                start=start_of(video),
                sound_start=None if track is None else start_of(container.streams.audio[track]),
                track=track or 0,
                aspect=float(video.sample_aspect_ratio or 1),
                curve=int(video.codec_context.color_trc),
            )
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InputError(f"video: {path} cannot be opened as a video ({error}); give a video file") from error


def scene_starts(source: Source) -> list[float]:
    """Start of every scene in seconds (PySceneDetect's adaptive detector); the first is 0."""
    from scenedetect import AdaptiveDetector

    shortest = max(2, round(MIN_SCENE * source.fps))
    detector = AdaptiveDetector(adaptive_threshold=SCENE_THRESHOLD, min_scene_len=shortest)
    colours, times, cuts = VideoReformatter(), [], []
    for time, frame in _timed_frames(source):
        height = max(1, round(frame.height * SCENE_WIDTH / frame.width))
        small = colours.reformat(frame, width=SCENE_WIDTH, height=height, format="bgr24").to_ndarray()
        cuts += detector.process_frame(len(times), small)
        times.append(time)
    cuts += detector.post_process(len(times) - 1)
    return [0.0, *sorted(times[cut] for cut in cuts)]


def frames_at(source: Source, fps: float) -> Iterator[tuple[int, np.ndarray]]:
    """Stream the video at another rate.

    Yields:
        number and picture (H, W, 3) uint8, upright and of square pixels, up to the first damaged place.

    Raises:
        ValueError, av.FFmpegError: if not one picture can be decoded.
    """
    number, shown, picture, end = 0, None, None, 0.0
    draw = _Upright(source)
    for time, frame in _timed_frames(source):
        while shown is not None and (number + 0.5) / fps < time:
            picture = draw(shown) if picture is None else picture
            yield number, picture
            number += 1
        shown, picture, end = frame, None, time + 1 / source.fps
    while shown is not None and (number + 0.5) / fps < end:
        yield number, draw(shown)
        number += 1


def _timed_frames(source: Source) -> Iterator[tuple[float, av.VideoFrame]]:
    """Seconds from the first frame, and the frame, up to the first damaged place: those behind it would show remains of others."""
    count, last = 0, 0.0
    with av.open(str(source.path.absolute())) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        for frame in _decoded(container, video):
            time = count / source.fps if frame.time is None else frame.time - source.start
            if time - last > MAX_GAP:
                break  # A wrong timestamp: as damage.
            yield time, frame
            count, last = count + 1, time
    if not count:
        raise ValueError("no picture in it can be decoded")


def _decoded(container: av.container.InputContainer, video: av.VideoStream) -> Iterator[av.VideoFrame]:
    with contextlib.suppress(av.FFmpegError):
        for packet in container.demux(video):
            yield from packet.decode()
        return
    # The decoder still holds frames from before the damage.
    with contextlib.suppress(av.FFmpegError):
        yield from itertools.takewhile(lambda frame: not frame.is_corrupt, video.decode(None))


class _Upright:
    """Draws frames as a player shows them: pixels made square, HDR tone-mapped, and turned by the rotation in the file's header."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._colours = VideoReformatter()  # One for all frames: each would start threads of its own.

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """A frame as (H, W, 3) uint8."""
        width = max(1, round(frame.width * self._source.aspect))
        if self._source.curve in (HLG, PQ):
            deep = self._colours.reformat(frame, width=width, format="rgb48le", src_colorspace=BT2020)
            square = to_sdr(deep.to_ndarray(), self._source.curve)
        else:
            square = self._colours.reformat(frame, width=width, format="rgb24").to_ndarray()
        return np.ascontiguousarray(np.rot90(square, round(getattr(frame, "rotation", 0) / 90) % 4))


def sound_of(source: Source) -> np.ndarray:
    """The whole sound, (S,) float32 at 16 kHz mono; sample 0 plays with the first frame.

    Raises:
        ValueError, IndexError, av.FFmpegError: if it cannot be decoded.
    """
    waveform, late = (
        np.concatenate([np.zeros(0, np.float32), *sound_blocks(source.path, source.track)]),
        _first_sample(source),
    )
    return np.pad(waveform, (late, 0)) if late > 0 else waveform[-late:]


class SoundReader:
    """Reads the sound of a video forward, a stretch at a time; only the current stretch is in memory."""

    def __init__(self, source: Source) -> None:
        """Start before the first frame; the video must have sound."""
        self._blocks = sound_blocks(source.path, source.track)
        self._held, self._start = np.zeros(0, np.float32), _first_sample(source)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples [start, stop) of `sound_of`, with zeros after its end. A later call may not start earlier.

        Raises:
            ValueError, IndexError, av.FFmpegError: if they cannot be decoded.
        """
        parts = [self._held]
        count = self._start + len(self._held)
        while count < stop and (block := next(self._blocks, None)) is not None:
            count += len(block)
            if count > start:
                parts.append(block)
            else:
                parts, self._start = [], count
        held = np.concatenate([np.zeros(0, np.float32), *parts])
        before = min(max(0, start - self._start), len(held))
        self._held, self._start = held[before:], self._start + before
        first = max(0, self._start - start)  # The sound may begin after `start`.
        part = np.zeros(stop - start, np.float32)
        sound = self._held[: max(0, stop - start - first)]
        part[first : first + len(sound)] = sound
        return part


def _first_sample(source: Source) -> int:
    """Place of the sound's first sample, counted at 16 kHz from the first frame."""
    return round((source.sound_start - source.start) * SAMPLE_RATE)
