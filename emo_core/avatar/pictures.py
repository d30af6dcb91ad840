"""Many square pictures in little memory: each is a JPEG.

Shape legend: N pictures, S side, B bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import InputError

QUALITY = 94
"""Of the JPEGs, whose colours are as fine as their brightness: 45 dB on a face, at a tenth of the pixels' bytes."""
MAX_SIDE = 4096
"""Pixels. A file that says more is broken."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """N pictures of one side."""

    data: np.ndarray
    """(B,) uint8, the JPEG files one after another."""
    ends: np.ndarray
    """(N,) int64, where each one ends."""

    def __post_init__(self) -> None:
        """Raise InputError if the ends do not fit the bytes."""
        ends = self.ends
        shapes = self.data.ndim == ends.ndim == 1 and self.data.dtype == np.uint8 and ends.dtype == np.int64
        if not shapes or (np.diff(ends, prepend=0) <= 0).any() or (ends[-1] if len(ends) else 0) != len(self.data):
            raise InputError(
                f"pictures: ends {ends.shape} do not fit bytes {self.data.shape}; the file is broken, make it again"
            )

    @classmethod
    def from_arrays(cls, data: np.ndarray, ends: np.ndarray) -> Pictures:
        """The pictures of `arrays`, for example from a file.

        Raises:
            InputError: if they are no pictures.
        """
        return cls(np.asarray(data), np.asarray(ends))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The bytes (B,) uint8, and the ends (N,) int64."""
        return self.data, self.ends

    def __len__(self) -> int:
        """N."""
        return len(self.ends)

    def __getitem__(self, number: int) -> np.ndarray:
        """(S, S, 3) uint8.

        Raises:
            IndexError: if there is no such picture.
            InputError: if its bytes are no square JPEG.
        """
        number = range(len(self))[number]
        try:
            with Image.open(io.BytesIO(self._bytes(number).tobytes()), formats=("JPEG",)) as picture:
                width, height = picture.size
                if picture.mode != "RGB" or width != height or width > MAX_SIDE:
                    raise OSError(f"it is {picture.mode} of {width} x {height} pixels")
                return np.array(picture)
        except OSError as error:
            raise InputError(f"pictures: number {number} cannot be read ({error}); make the file again") from error

    def chosen(self, indices: Sequence[int] | np.ndarray) -> Pictures:
        """Some of the pictures, in the order of their numbers (indices); nothing is encoded again."""
        parts = [self._bytes(range(len(self))[int(number)]) for number in indices]
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        return Pictures(np.concatenate([np.zeros(0, np.uint8), *parts]), ends)

    def _bytes(self, number: int) -> np.ndarray:
        return self.data[self.ends[number - 1] if number else 0 : self.ends[number]]


class PicturesWriter:
    """Collects pictures one after another."""

    def __init__(self, quality: int = QUALITY) -> None:
        """Start with none; `quality` is JPEG's, 1 .. 100."""
        self._quality, self._data, self._ends = quality, bytearray(), []
        self._shape: tuple[int, ...] | None = None

    def add(self, picture: np.ndarray) -> None:
        """Append a picture (S, S, 3) uint8; all have the side of the first.

        Raises:
            ValueError: if it has another shape.
        """
        side = picture.shape[0]
        if picture.shape != (self._shape or (side, side, 3)) or not 0 < side <= MAX_SIDE or picture.dtype != np.uint8:
            raise ValueError(
                f"picture: got {picture.dtype} {picture.shape}; expected uint8 {self._shape or '(S, S, 3)'}"
            )
        self._shape = picture.shape
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=self._quality, subsampling=0)
        self._data += file.getbuffer()
        self._ends.append(len(self._data))

    def done(self) -> Pictures:
        """All pictures so far. The writer is then empty."""
        data, ends = np.frombuffer(self._data, np.uint8), np.array(self._ends, np.int64)
        self._data, self._ends, self._shape = bytearray(), [], None
        return Pictures(data, ends)
