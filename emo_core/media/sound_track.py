"""The sound of a video, read in blocks: the first sound track of a file, or a waveform in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from ..errors import InputError

BLOCK = 16_384
"""Samples read at a time from memory."""


class Track(Protocol):
    """A sound that is written beside the frames."""

    rate: int
    """Hz."""
    channels: int

    def frames(self) -> Iterator[av.AudioFrame]:
        """Decode the sound in blocks, from its start."""
        ...


class FileTrack:
    """The first sound track of a file."""

    def __init__(self, path: Path) -> None:
        self._path = str(path.absolute())  # See `decode_sound`.
        with av.open(self._path) as source:
            track = source.streams.audio[0]
            self.rate, self.channels = track.rate, track.channels

    def frames(self) -> Iterator[av.AudioFrame]:
        """See `Track`."""
        with av.open(self._path) as source:
            yield from source.decode(audio=0)


@dataclass(frozen=True, slots=True)
class WaveTrack:
    """A waveform in memory."""

    waveform: np.ndarray
    """(channels, S) float32, one or two channels."""
    rate: int
    """Hz."""

    @property
    def channels(self) -> int:
        """One or two."""
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
        layout = "mono" if self.channels == 1 else "stereo"
        for start in range(0, self.waveform.shape[1], BLOCK):
            block = np.ascontiguousarray(self.waveform[:, start : start + BLOCK], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.rate = self.rate
            yield frame
