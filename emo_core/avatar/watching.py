"""The first reading of a film: faces are followed, cuts are found. Pictures are not kept.

Shape legend: F frames of the film at 25 fps, N frames of a run, K looks, L numbers of a look, H W picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..face.box import Box
from ..face.detect import Face, FaceDetector
from ..media.video_reader import Source
from .films import frames_of
from .people import look_of
from .takes import FPS

SMALLEST = 0.35
"""Height of a face over that of the highest one in its picture, at least; others stand in the background."""
DOUBLE = 0.4
"""Intersection over union from which two found faces are one that is found twice."""
MIN_OVERLAP = 0.3
"""Intersection over union of a face's boxes in successive frames, at least."""
LONGEST_GAP = 12
"""Frames without the face that a run bridges: half a second."""
LOOK_EVERY = 5
"""Frames of a run between two looks at the face."""
LONG_AGO, SELDOM = 2 * FPS, 5
"""Frames since the last face from which every fifth frame is searched only: a search in vain takes five times as long."""
SMALL = (48, 27)
"""Width and height of the pictures whose change tells cuts."""
DARK, BRIGHT = 8, 247
"""Pixels up to, and from, these levels are black or white."""


@dataclass(frozen=True, slots=True)
class Run:
    """One face, followed through N frames of a film."""

    numbers: np.ndarray
    """(N,) int64 of the frames in which it is found, rising."""
    landmarks: np.ndarray
    """(N, 478, 3) float32 pixels of the film."""
    largest: np.ndarray
    """(N,) bool, whether it is the highest face of its picture."""
    colour: np.ndarray
    """(N, 3) float32 mean of the face, 0 .. 255."""
    clipped: np.ndarray
    """(N,) float32 share of the face's pixels that are black or white."""
    look_numbers: np.ndarray
    """(K,) int64 frames at which it was looked at."""
    looks: np.ndarray
    """(K, L) float32."""

    def part(self, first: int, stop: int) -> Run:
        """Its frames of numbers [first, stop)."""
        rows = slice(*np.searchsorted(self.numbers, [first, stop]))
        looks = slice(*np.searchsorted(self.look_numbers, [first, stop]))
        return Run(
            self.numbers[rows],
            self.landmarks[rows],
            self.largest[rows],
            self.colour[rows],
            self.clipped[rows],
            self.look_numbers[looks],
            self.looks[looks],
        )


@dataclass(frozen=True, slots=True)
class WatchedFilm:
    """What the first reading of a film gives."""

    source: Source
    size: tuple[int, int]
    """Width and height of its upright frames in pixels."""
    first: int
    """Number of the first frame that was read."""
    stop: int
    """Number of the frame after the last that was read."""
    change: np.ndarray
    """(F,) float32 mean difference of each frame to the one before it, 0 .. 255; the first is 0."""
    runs: tuple[Run, ...]


def watch(
    source: Source, detector: FaceDetector, *, first: int = 0, stop: int | None = None, progress: Callable[[], None]
) -> WatchedFilm:
    """Follow all faces of a film.

    Args:
        source: the film.
        detector: one that gives landmarks.
        first: number of the first frame at 25 fps that counts.
        stop: number of the frame after the last one; None for the film's end.
        progress: called once for each frame that was read.

    Raises:
        UnreadableError: if not one picture can be decoded.
    """
    followed, change, size, before, number = _Followed(first), [], (0, 0), None, first - 1
    for number, picture in _between(frames_of(source), first, stop):
        size, small = picture.shape[1::-1], _small(picture)
        change.append(0.0 if before is None else float(np.abs(small - before).mean()))
        before = small
        if number - followed.last < LONG_AGO or number % SELDOM == 0:
            followed.add(number, picture, _distinct(detector.detect(picture)))
        progress()
    return WatchedFilm(source, size, first, number + 1, np.array(change, np.float32), followed.done())


def _between(
    frames: Iterator[tuple[int, np.ndarray]], first: int, stop: int | None
) -> Iterator[tuple[int, np.ndarray]]:
    for number, picture in frames:
        if stop is not None and number >= stop:
            return
        if number >= first:
            yield number, picture


def _small(picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(picture, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)


def _distinct(faces: list[Face]) -> list[Face]:
    """Faces that are not far smaller than the highest, each once; the highest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.box.height):
        if face.box.height >= SMALLEST * (kept or [face])[0].box.height and all(
            face.box.overlap(other.box) < DOUBLE for other in kept
        ):
            kept.append(face)
    return kept


class _Open:
    """A run that may go on."""

    def __init__(self) -> None:
        self.box: Box | None = None
        self.last = -1
        self._rows: list[tuple] = []
        self._looks: list[tuple[int, np.ndarray]] = []

    def add(self, number: int, picture: np.ndarray, face: Face, largest: bool) -> None:
        landmarks = np.asarray(face.landmarks, np.float32)
        if not self._looks or number - self._looks[-1][0] >= LOOK_EVERY:
            self._looks.append((number, look_of(picture, landmarks)))
        self._rows.append((number, landmarks, largest, *_light(picture, face.box)))
        self.box, self.last = face.box, number

    def done(self) -> Run:
        numbers, landmarks, largest, colour, clipped = zip(*self._rows, strict=True)
        look_numbers, looks = zip(*self._looks, strict=True)
        return Run(
            np.array(numbers, np.int64),
            np.stack(landmarks),
            np.array(largest, bool),
            np.array(colour, np.float32),
            np.array(clipped, np.float32),
            np.array(look_numbers, np.int64),
            np.stack(looks),
        )


class _Followed:
    """All runs of a film, as they grow."""

    def __init__(self, first: int) -> None:
        self._open: list[_Open] = []
        self._done: list[Run] = []
        self.last = first
        """Number of the last frame with a face."""

    def add(self, number: int, picture: np.ndarray, faces: list[Face]) -> None:
        """Add a frame; its highest face comes first."""
        self.last = number if faces else self.last
        lost = [run for run in self._open if number - run.last > LONGEST_GAP + 1]
        self._open = [run for run in self._open if run not in lost]
        self._done += [run.done() for run in lost]
        pairs = [(run.box.overlap(face.box), run, face) for run in self._open for face in faces]
        free_runs, free_faces = list(self._open), list(faces)
        for overlap, run, face in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= MIN_OVERLAP and run in free_runs and any(face is other for other in free_faces):
                run.add(number, picture, face, face is faces[0])
                free_runs.remove(run)
                free_faces = [other for other in free_faces if other is not face]
        for face in free_faces:
            self._open.append(_Open())
            self._open[-1].add(number, picture, face, face is faces[0])

    def done(self) -> tuple[Run, ...]:
        """All runs, in the order of their first frames."""
        runs = self._done + [run.done() for run in self._open]
        return tuple(sorted(runs, key=lambda run: int(run.numbers[0])))


def _light(picture: np.ndarray, box: Box) -> tuple[np.ndarray, float]:
    """Mean colour (3,) of a face, and the share of its pixels that are black or white."""
    height, width = picture.shape[:2]
    inner = box.expand(0.7)
    left, top = (int(np.clip(low, 0, length - 1)) for low, length in ((inner.left, width), (inner.top, height)))
    step = max(1, int(inner.height / 64))
    part = picture[top : max(top + 1, int(inner.bottom)) : step, left : max(left + 1, int(inner.right)) : step]
    pixels = part.reshape(-1, 3)
    clipped = (pixels >= BRIGHT).any(1) | (pixels <= DARK).all(1)
    return pixels.mean(0), float(clipped.mean())
