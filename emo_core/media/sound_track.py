"""The sound of a video, read in blocks: the first sound track of a file, or a waveform in memory."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from ..errors import InputError
from .sound_frames import choose_track, resampled, sound_frames

BLOCK = 16_384
"""Samples read at a time from memory."""
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Layout of a sound whose number of channels alone is known (FFmpeg's defaults)."""


class Track(Protocol):
    """A sound that is written beside the frames."""

    rate: int
    """Hz."""
    channels: int

    def frames(self) -> Iterator[av.AudioFrame]:
        """Decode the sound in blocks, from its start."""
        ...


class FileTrack:
    """The chosen sound track of a file; see `choose_track`."""

    def __init__(self, path: Path) -> None:
        """Read the first frame; what stands in the header may be wrong.

        Raises:
            InputError: if no sound can be decoded.
        """
        self._path = path
        try:
            self._track = choose_track(path)
            with contextlib.closing(self.frames()) as frames:
                first = next(frames, None)
        except (av.FFmpegError, ValueError) as error:
            raise InputError(f"audio: {path} cannot be decoded as sound ({error}); give another file") from error
        if first is None:
            raise InputError(f"audio: {path} has a sound track, but nothing in it can be decoded; give another file")
        self.rate, self.channels = first.sample_rate, first.layout.nb_channels

    def frames(self) -> Iterator[av.AudioFrame]:
        """See `Track`."""
        return sound_frames(self._path, self._track)


@dataclass(frozen=True, slots=True)
class WaveTrack:
    """A waveform in memory."""

    waveform: np.ndarray
    """(C, S) float32; C is a key of `LAYOUTS`."""
    rate: int
    """Hz."""

    @property
    def channels(self) -> int:
        """C."""
        return len(self.waveform)

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.waveform.shape[1] / self.rate

    def part(self, start: float, seconds: float | None = None) -> "WaveTrack":
        """The sound from second `start` on, for `seconds` or to its end.

        Raises:
            InputError: if the start lies at or behind the sound's end.
        """
        if not 0 <= start < self.seconds:
            raise InputError(
                f"start: got {start:g} s; the sound lasts {self.seconds:.2f} s; give a start before its end"
            )
        first = round(start * self.rate)
        last = None if seconds is None else first + round(seconds * self.rate)
        return replace(self, waveform=self.waveform[:, first:last])

    def frames(self) -> Iterator[av.AudioFrame]:
        """See `Track`."""
        layout = LAYOUTS[self.channels]
        for start in range(0, self.waveform.shape[1], BLOCK):
            block = np.ascontiguousarray(self.waveform[:, start : start + BLOCK], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.rate = self.rate
            yield frame

    def stereo(self) -> "WaveTrack":
        """The same with two channels at most, mixed by the places of the channels (ITU-R BS.775), as a player does it.

        A sound of so many channels that none of `LAYOUTS` has them becomes the mean of all.
        """
        if self.channels <= 2:
            return self
        if self.channels not in LAYOUTS:
            return replace(self, waveform=self.waveform.mean(0, keepdims=True))
        blocks = list(resampled(self.frames(), "stereo", None))
        return replace(self, waveform=np.concatenate(blocks, axis=1))
