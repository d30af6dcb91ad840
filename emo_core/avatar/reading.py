"""The two readings of the films, with their progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from ..face.detect import FaceDetector
from ..media.video_reader import Source, open_source
from .films import UnreadableError, frames_of, seconds_of
from .pictures import Pictures, PicturesWriter
from .squares import SquarePath
from .stretches import Stretch
from .takes import FPS
from .watching import WatchedFilm, watch

Progress = Callable[[int, int], None]
"""Takes the number of frames that are read, and of those that will be; raise in it to cancel."""


SHORT_BY, SHORT_SHARE = 1.0, 0.05
"""A film is damaged if so many seconds, and such a share of it, are missing: headers may round, and sound may be longer."""


class Reader:
    """Reads films twice: all frames to follow faces, then those of the person to cut the squares."""

    def __init__(
        self, paths: Sequence[Path], *, start: float, max_seconds: float | None, progress: Progress | None
    ) -> None:
        """Open the films.

        Args:
            paths: of films.
            start: second of each film at which reading begins.
            max_seconds: length that is read of all films together, at most; None for all.
            progress: called for each frame.

        Raises:
            InputError: if none can be opened.
        """
        self._first = max(0, round(start * FPS))
        self._left = None if max_seconds is None else round(max_seconds * FPS)
        self._progress = progress or (lambda done, total: None)
        self.broken: list[tuple[Path, str]] = []
        """Films that cannot be read, and why."""
        self.cut_off: list[tuple[Path, float, float]] = []
        """Films that are damaged: the second up to which they can be read, and the seconds that are missing."""
        self._sources = self._opened(paths)
        self._done, self._total = 0, 2 * self._expected()

    def _opened(self, paths: Sequence[Path]) -> list[Source]:
        sources = []
        for path in paths:
            try:
                sources.append(open_source(path))
            except InputError as error:
                self.broken.append((path, str(error)))
        if not sources:
            raise InputError(self.broken[0][1])
        return sources

    def _expected(self) -> int:
        frames = sum(max(0, round(seconds_of(source) * FPS) - self._first) for source in self._sources)
        return frames if self._left is None else min(frames, self._left)

    def _step(self) -> None:
        self._done += 1
        self._total = max(self._total, self._done)
        self._progress(self._done, self._total)

    def watch_all(self, detector: FaceDetector) -> list[WatchedFilm]:
        """The first reading.

        Raises:
            InputError: if no frame of any film can be read.
        """
        films = []
        for source in self._sources:
            if self._left == 0:
                break
            stop = None if self._left is None else self._first + self._left
            try:
                film = watch(source, detector, first=self._first, stop=stop, progress=self._step)
            except UnreadableError as error:
                self.broken.append((source.path, str(error)))
                continue
            films.append(film)
            self._compare(film, limited=film.stop == stop)
            if self._left is not None:
                self._left = max(0, self._left - (film.stop - film.first))
        if not any(film.stop > film.first for film in films):
            raise InputError(
                self.broken[0][1] if self.broken else f"films: all end before second {self._first / FPS:g}"
            )
        return films

    def _compare(self, film: WatchedFilm, *, limited: bool) -> None:
        """Note where a film ends far before the length that its header tells."""
        missing = seconds_of(film.source) - film.stop / FPS
        if not limited and missing > max(SHORT_BY, SHORT_SHARE * film.stop / FPS):
            self.cut_off.append((film.source.path, film.stop / FPS, missing))

    def cut_all(
        self, films: Sequence[WatchedFilm], stretches: Sequence[Stretch], squares: Sequence[SquarePath]
    ) -> Pictures:
        """The second reading: the squares of all stretches, which are sorted by film and frame.

        Raises:
            InputError: if a film changed since the first reading.
        """
        writer = PicturesWriter()
        numbers = sorted({stretch.film for stretch in stretches})
        last = {number: max(stretch.stop for stretch in stretches if stretch.film == number) for number in numbers}
        self._total = self._done + sum(last.values())
        for number in numbers:
            mine = [pair for pair in zip(stretches, squares, strict=True) if pair[0].film == number]
            self._cut(films[number].source, mine, writer)
        return writer.done()

    def _cut(self, source: Source, mine: list[tuple[Stretch, SquarePath]], writer: PicturesWriter) -> None:
        left = list(mine)
        for number, picture in frames_of(source):
            stretch, path = left[0]
            if number >= stretch.first:
                writer.add(path.cut(picture, number - stretch.first))
            self._step()
            if number + 1 == stretch.stop:
                left.pop(0)
            if not left:
                return
        raise InputError(f"film: {source.path} became shorter while it was read; leave it alone until the end")
