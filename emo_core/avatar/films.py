"""The films that a person is learnt from: files, folders, and their sound."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..media.sound import SAMPLE_RATE, Sound, prepare_sound
from ..media.video_reader import VIDEO_SUFFIXES, Source, frames_at, sound_of
from .takes import FPS, SAMPLES

HELP = "give a film of the person, or a folder of films"


def find_films(sources: Sequence[Path]) -> list[Path]:
    """All films, those of a folder in the order of their names.

    Raises:
        InputError: if there is none, or a name leads nowhere.
    """
    films: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = sorted(path for path in source.iterdir() if _is_film(path))
            if not inside:
                raise InputError(f"films: no film in the folder {source}; {HELP}")
            films += inside
        elif source.exists():
            films.append(source)
        else:
            raise InputError(f"films: nothing at {source}; {HELP}")
    if not films:
        raise InputError(f"films: got none; {HELP}")
    return list(dict.fromkeys(films))


def _is_film(path: Path) -> bool:
    """Whether a file of a folder is taken for a film; macOS puts hidden files of the same suffix beside films."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()


class UnreadableError(InputError):
    """A film of which not one picture can be decoded."""


def frames_of(source: Source) -> Iterator[tuple[int, np.ndarray]]:
    """Number and picture (H, W, 3) uint8 of every frame at 25 fps, up to the first damaged place.

    Raises:
        UnreadableError: if there is none.
    """
    try:
        yield from frames_at(source, FPS)
    except (av.FFmpegError, ValueError, IndexError, OSError) as error:
        raise UnreadableError(f"film: {source.path} cannot be read ({error}); copy or save it again") from error


def seconds_of(source: Source) -> float:
    """Length that a film's header tells; 0 if it does not."""
    try:
        with av.open(str(source.path.absolute())) as container:
            return (container.duration or 0) / av.time_base
    except av.FFmpegError:
        return 0.0


def whole_sound(source: Source) -> Sound | str:
    """The sound of a film, sample 0 beside its first frame; or the reason why there is none."""
    if source.sound_start is None:
        return "it has no sound track"
    try:
        return prepare_sound(sound_of(source), source.path.name)
    except InputError as error:
        return str(error).removeprefix("audio: ")
    except (ValueError, IndexError, av.FFmpegError) as error:
        return f"its sound cannot be decoded ({error})"


def sound_between(sound: Sound, first: int, stop: int, late: float = 0.0) -> Sound:
    """The sound beside frames [first, stop) of a film, whose sound is late by some seconds. Silence where there is none."""
    start, count = first * SAMPLES + round(late * SAMPLE_RATE), (stop - first) * SAMPLES
    before = min(max(0, -start), count)
    part = sound.waveform[max(0, start) : max(0, start + count)]
    return Sound(np.pad(part, (before, count - before - len(part))).astype(np.float32, copy=False))
