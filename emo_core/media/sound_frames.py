"""The sound of a file, decoded as far as it can be: the track is chosen, what is damaged becomes silence.

Shape legend: C channels, S samples.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

DEFAULT = 1
"""FFmpeg's disposition flag of the track that a player plays."""
SILENCE = 10 ** (-60 / 20)
"""Peak amplitude below which a sound counts as silent (-60 dBFS)."""
BLOCK = 16_384
"""Samples of a block of silence, at most."""
GAP = 0.03
"""Seconds between two timestamps that are no gap: containers round them, and recorders' clocks waver."""
MAX_GAP = 600.0
"""Seconds. A longer step of the timestamps is damage, no pause."""
MAX_OVERLAP = -1.0
"""Seconds. Timestamps that go back further are damage; a smaller overlap is left out, as by a player."""
LONGEST_DAMAGE = 5.0
"""Seconds of silence for damage, at most: what lies there may be no sound, such as a picture."""

CUT_SECONDS, CUT_SHARE = 0.2, 0.05
"""A sound is cut off if so many seconds, and such a share of it, are missing: headers may round, or estimate."""

ESTIMATED = ("mp3", "aac", "ac3")
"""Formats without a length: FFmpeg estimates it from the first frames."""

Report = Callable[[str], None]
"""Takes a sentence about a damaged place."""


def choose_track(path: Path) -> int:
    """Number of the sound track to use: the one marked as default, else the first that is not silent, else the first.

    Raises:
        ValueError: if the file has no sound track.
        av.FFmpegError: if it cannot be opened.
    """
    with _opened(path) as container:
        tracks = container.streams.audio
        if not tracks:
            raise ValueError("it has no sound track")
        default = next((place for place, track in enumerate(tracks) if int(track.disposition) & DEFAULT), None)
        count = len(tracks)
    if default is not None or count == 1:
        return default or 0
    return next((place for place in range(count) if is_audible(path, place)), 0)


def audible_tracks(path: Path) -> list[int]:
    """Numbers of all sound tracks that are not silent."""
    with _opened(path) as container:
        count = len(container.streams.audio)
    return [place for place in range(count) if is_audible(path, place)]


def is_audible(path: Path, track: int) -> bool:
    """Whether a track has a sample above silence."""
    with contextlib.closing(sound_frames(path, track)) as frames:
        return any(np.abs(block).max(initial=0) > SILENCE for block in resampled(frames, None, None))


def sound_frames(
    path: Path, track: int, *, by_clock: bool = False, report: Report | None = None
) -> Iterator[av.AudioFrame]:
    """Decode a track. Packets that cannot be decoded become silence of their length.

    Args:
        path: any container.
        track: number among the sound tracks.
        by_clock: gaps in the timestamps become silence, as a player plays them beside pictures. If not, they are closed: in a
            live recording without pictures they are no gaps in the sound.
        report: called once for each damaged place.

    Raises:
        ValueError: with `by_clock`, if the timestamps jump.
        av.FFmpegError: if the file cannot be opened.
    """
    with _opened(path) as container:
        stream = container.streams.audio[track]
        clock = _Clock(start_of(stream) if by_clock else None, report or (lambda sentence: None))
        for packet in _packets(container, stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                clock.miss(packet)
                continue
            clock.read += packet.size
            for frame in frames:
                yield from clock.follow(frame)
        clock.end(_length(container, stream))


def start_of(stream: av.stream.Stream) -> float:
    """Timestamp of a track's first packet in seconds, whether it can be decoded or not."""
    return float((stream.start_time or 0) * stream.time_base)


def _length(container: av.container.InputContainer, stream: av.AudioStream) -> float:
    """Seconds that the header promises; 0 if it is silent about the sound."""
    if container.format.name in ESTIMATED:
        return 0.0
    if stream.duration:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == len(container.streams.audio)
    return (container.duration or 0) / av.time_base if alone else 0.0


def _opened(path: Path) -> av.container.InputContainer:
    return av.open(str(Path(path).absolute()))  # A colon in a relative name would be a protocol.


def _packets(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.Packet]:
    """The packets up to the end, or to the first place behind which the container cannot be read."""
    with contextlib.suppress(av.FFmpegError):
        yield from container.demux(stream)


class _Clock:
    """Counts the time of the sound, and fills it with silence where there is none."""

    def __init__(self, start: float | None, report: Report) -> None:
        self._start, self._report = start, report  # Timestamp in seconds; None: timestamps do not count.
        self._time = 0.0  # Length of the sound so far, in seconds.
        self._missed, self._missed_seconds = (
            0,
            0.0,
        )  # Bytes that could not be decoded since the last frame, and their time.
        self.read = 0
        """Bytes that could be decoded."""

    def miss(self, packet: av.Packet) -> None:
        """A packet cannot be decoded."""
        self._missed += packet.size
        self._missed_seconds += float((packet.duration or 0) * packet.time_base)

    def follow(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """The silence before a frame, and the part of the frame that is not over yet."""
        pause = self._pause(frame)
        if self._missed:
            self._report(f"{max(pause, 0):.2f} s at {self._time:.2f} s cannot be decoded, and become silence")
        self._missed, self._missed_seconds = 0, 0.0
        pause = pause if abs(pause) > GAP or self._start is None else 0.0
        over = round(max(0.0, -pause) * frame.sample_rate)
        yield from _silence(pause, frame)
        self._time += max(pause, 0.0) + max(frame.samples - over, 0) / frame.sample_rate
        frame.pts = None  # Encoders and resamplers count on.
        if not over:
            yield frame
        elif over < frame.samples:
            yield _later_part(frame, over)

    def _pause(self, frame: av.AudioFrame) -> float:
        """Seconds between the sound so far and a frame; negative if they overlap."""
        if self._start is None or frame.time is None:
            # A damaged packet may span several, so its length in bytes tells its time better than its own duration.
            missed = self._missed * self._time / self.read if self._time else self._missed_seconds
            return min(missed, LONGEST_DAMAGE)
        gap = frame.time - self._start - self._time
        if not MAX_OVERLAP < gap < MAX_GAP:
            raise ValueError(f"the timestamps of its sound jump by {gap:+.1f} s at {self._time:.2f} s")
        return gap

    def end(self, expected: float) -> None:
        """Report damage behind the last frame, and a file that is cut off.

        Args:
            expected: seconds; 0 if unknown.
        """
        if self._missed:
            self._report(f"no sound can be decoded after {self._time:.2f} s")
        elif self._time and expected - self._time > max(CUT_SECONDS, CUT_SHARE * expected):
            self._report(f"it is cut off at {self._time:.2f} s of {expected:.2f} s")


def _later_part(frame: av.AudioFrame, first: int) -> av.AudioFrame:
    """A frame from sample `first` on."""
    step = 1 if frame.format.is_planar else frame.layout.nb_channels
    samples = np.ascontiguousarray(frame.to_ndarray()[:, first * step :])
    part = av.AudioFrame.from_ndarray(samples, format=frame.format.name, layout=frame.layout)
    part.rate = frame.sample_rate
    return part


def _silence(seconds: float, like: av.AudioFrame) -> Iterator[av.AudioFrame]:
    """Frames of silence, of the rate and layout of another frame."""
    left = round(seconds * like.sample_rate)
    while left > 0:
        count = min(left, BLOCK)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((like.layout.nb_channels, count), np.float32), format="fltp", layout=like.layout
        )
        frame.rate = like.sample_rate
        yield frame
        left -= count


@dataclass(frozen=True, slots=True)
class _Kind:
    """All that a resampler is bound to."""

    form: str
    layout: str
    rate: int

    @classmethod
    def of(cls, frame: av.AudioFrame) -> "_Kind":
        return cls(frame.format.name, frame.layout.name, frame.sample_rate)


def resampled(frames: Iterator[av.AudioFrame], layout: str | None, rate: int | None) -> Iterator[np.ndarray]:
    """Resample frames, whose rate and layout may change on the way.

    Args:
        frames: of one track.
        layout: of the result, mono or stereo; None keeps mono, and mixes all others to stereo by their channels' places.
        rate: of the result in Hz; None keeps each frame's own.

    Yields:
        (C, S) float32.
    """
    kind, resampler = None, None
    for frame in frames:
        if _Kind.of(frame) != kind:
            yield from _blocks(resampler, None, layout)
            kind = _Kind.of(frame)
            target = "mono" if frame.layout.nb_channels == 1 else layout or "stereo"
            resampler = av.AudioResampler(format="fltp", layout=target, rate=rate or frame.sample_rate)
        yield from _blocks(resampler, frame, layout)
    yield from _blocks(resampler, None, layout)


def _blocks(
    resampler: av.AudioResampler | None, frame: av.AudioFrame | None, layout: str | None
) -> Iterator[np.ndarray]:
    """Mono becomes stereo at its full level. FFmpeg would lower it by 3 dB, as it does with a centre channel."""
    channels = 2 if layout == "stereo" else None
    for part in [] if resampler is None else resampler.resample(frame):
        block = part.to_ndarray()
        yield np.broadcast_to(block, (channels or len(block), block.shape[1]))
