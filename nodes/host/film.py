"""The host's VIDEO, or a batch of IMAGE, as a stream of pictures with its sound."""

import io as memory
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import numpy as np
from comfy_api.latest import InputImpl
from torch import Tensor

from ...emo_core.errors import InputError
from ...emo_core.media.sound_frames import resampled
from ...emo_core.media.sound_track import FileTrack, WaveTrack
from ...emo_core.media.video_reader import Source, frames_at, open_source
from .audio import to_track
from .folders import temporary_folder
from .images import to_uint8


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a film, in seconds."""

    start: float = 0.0
    seconds: float | None = None
    """None for the rest."""

    def frames(self, fps: float) -> tuple[int, int | None]:
        """Number of its first frame, and of the first one behind it."""
        first = round(self.start * fps)
        return first, None if self.seconds is None else first + max(1, round(self.seconds * fps))


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures that are read one after another, once."""

    frames: Iterator[np.ndarray]
    """Each (H, W, 3) uint8."""
    fps: float
    count: int
    """Number of frames, as the file's header says."""
    first: int
    """Number of the first of them in the whole film."""
    to_end: bool
    """Whether they reach to the film's end."""
    track: WaveTrack | None
    """The sound of the same stretch; None if there is none."""


@contextmanager
def open_film(video: Any, images: Tensor | None, fps: float, part: Part) -> Iterator[Film]:
    """Read VIDEO, or IMAGE (B, H, W, C) at `fps`.

    A file is decoded as it is read. A part may start and end anywhere; a trimmed VIDEO's own part is respected.

    Raises:
        InputError: if neither is given, or the film cannot be read, or it ends before the part.
    """
    if video is None and images is None:
        raise InputError("film: nothing is wired; wire Load Video to `video`, or a batch of frames to `images`")
    if video is None:
        yield _of_images(images, fps, None, part)
        return
    if isinstance(video, InputImpl.VideoFromComponents):  # Frames in memory, which need not be encoded first.
        yield _of_images(*_components(video), part)
        return
    with _file(video.get_stream_source()) as path:
        start, seconds = _window(video)
        left = None if not seconds else max(0.0, seconds - part.start)
        both = [length for length in (left, part.seconds) if length is not None]
        source = open_source(path)
        inside = Part(start + part.start, min(both) if both else None)
        yield _of_file(source, inside, part.frames(source.fps)[0])


@contextmanager
def whole_file(video: Any) -> Iterator[Path]:
    """The file of a VIDEO for work that reads it several times; a trimmed one, and frames in memory, are written to a temporary file."""
    plain = not isinstance(video, InputImpl.VideoFromComponents) and not any(_window(video))
    source = video.get_stream_source() if plain else None
    if isinstance(source, str):
        yield Path(source)
        return
    path = temporary_folder() / f"film_{uuid4().hex}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if isinstance(source, memory.BytesIO):
            path.write_bytes(source.getbuffer())
        else:
            video.save_to(str(path))
        yield path
    finally:
        path.unlink(missing_ok=True)


def _components(video: Any) -> tuple[Tensor, float, WaveTrack | None]:
    parts = video.get_components()
    return parts.images, float(parts.frame_rate), None if parts.audio is None else to_track(parts.audio)


def _window(video: Any) -> tuple[float, float]:
    """Start and length of a trimmed VIDEO in seconds, 0 for all; older hosts cannot trim."""
    return video.get_active_trim_window() if hasattr(video, "get_active_trim_window") else (0.0, 0.0)


@contextmanager
def _file(source: str | memory.BytesIO) -> Iterator[Path]:
    """The path of a file; a film in memory is written to the temporary folder for the time."""
    if not isinstance(source, memory.BytesIO):
        yield Path(source)
        return
    path = temporary_folder() / f"film_{uuid4().hex}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(source.getbuffer())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _of_images(images: Tensor, fps: float, track: WaveTrack | None, part: Part) -> Film:
    if not fps > 0:
        raise InputError(f"fps: got {fps:g}; expected more than 0")
    first, last = part.frames(fps)
    images = images[first:last]
    if not len(images):
        raise InputError(f"start: got {part.start:g} s; the film ends before; give a start before its end")
    sound = None if track is None or part.start >= track.seconds else track.part(part.start, len(images) / fps)
    return Film((to_uint8(image[None])[0] for image in images), fps, len(images), first, last is None, sound)


def _of_file(source: Source, part: Part, number: int) -> Film:
    first, last = part.frames(source.fps)
    with av.open(str(source.path)) as container:
        seconds = (container.duration or 0) / av.time_base
    count = max(0, round(seconds * source.fps) - first) if last is None else last - first
    return Film(_pictures(source, first, last), source.fps, max(1, count), number, last is None, _sound(source, part))


def _pictures(source: Source, first: int, last: int | None) -> Iterator[np.ndarray]:
    try:
        for number, picture in frames_at(source, source.fps):
            if last is not None and number >= last:
                return
            if number >= first:
                yield picture
    except (ValueError, av.FFmpegError) as error:
        raise InputError(f"film: {source.path} cannot be decoded ({error}); give another file") from error


def _sound(source: Source, part: Part) -> WaveTrack | None:
    """The sound at its own rate, as it plays with the pictures."""
    if source.sound_start is None:
        return None
    track = FileTrack(source.path)
    late = source.sound_start - source.start - part.start
    skip, stop = max(0, round(-late * track.rate)), None
    if part.seconds is not None:
        stop = max(0, round((part.seconds - late) * track.rate))
    layout = "mono" if track.channels == 1 else "stereo"
    blocks, count = [np.zeros((track.channels if track.channels < 2 else 2, 0), np.float32)], 0
    for block in resampled(track.frames(), layout, track.rate):
        if stop is not None and count >= stop:
            break
        blocks.append(block[:, max(0, skip - count) : None if stop is None else stop - count])
        count += block.shape[1]
    waveform = np.concatenate(blocks, axis=1)
    waveform = np.pad(waveform, [(0, 0), (max(0, round(late * track.rate)), 0)])
    return WaveTrack(waveform, track.rate) if waveform.shape[1] else None
