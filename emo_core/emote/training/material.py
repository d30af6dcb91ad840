"""Films that teach and films that test, and how long a stage runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ...training.schedule import Limits
from .draw import FRAMES
from .heard import HeardFilm


@dataclass(frozen=True, slots=True)
class Run:
    """How long, where and with which films."""

    limits: Limits
    folder: Path | None
    resume: bool
    report: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Material:
    """Films that teach, and films of people that teach nothing."""

    teach: list[HeardFilm]
    test: list[HeardFilm]

    @property
    def test_name(self) -> str:
        """What numbers on `test` are called: films that also teach are no test of strangers."""
        return "trained" if self.test is self.teach else "held_out"

    @property
    def actors(self) -> list[HeardFilm]:
        """Films with motion and a known emotion."""
        return [film for film in self.teach if film.motion is not None and film.emotion is not None]


def split(films: Sequence[HeardFilm], held_out: Sequence[str]) -> Material:
    """Keep people out.

    Raises:
        InputError: if a person is unknown, or nobody is left.
    """
    people = {film.person for film in films}
    if unknown := set(held_out) - people:
        raise InputError(
            f"held out: nobody is called {', '.join(sorted(unknown))}; the films show {', '.join(sorted(people))}"
        )
    long = [film for film in films if len(film) >= FRAMES]
    if not long:
        raise InputError(f"emote train: no film has {FRAMES} frames at 25 fps; prepare films of 3 seconds or more")
    teach = [film for film in long if film.person not in held_out]
    test = [film for film in long if film.person in held_out] or teach
    if not teach:
        raise InputError("emote train: all people are held out; hold out fewer")
    return Material(teach, test)
