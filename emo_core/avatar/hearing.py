"""The sound beside each stretch of film, with its offset corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..face.mouth import mouth_opening
from ..media.sound import Sound
from .films import sound_between, whole_sound
from .stretches import Stretch
from .sync import Offset, measure_offset
from .takes import FPS, Take
from .watching import WatchedFilm

OWN_OFFSET = 10.0
"""Seconds of a film from which its sound has an offset of its own. Shorter films share one, as clips of one camera."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the films' sounds give."""

    takes: tuple[Take, ...]
    """One for each stretch."""
    offsets: tuple[tuple[str, Offset], ...]
    """By film; films that are measured together have one name."""
    silent: tuple[tuple[str, str], ...]
    """Names of films without sound, and why."""


def hear(films: Sequence[WatchedFilm], stretches: Sequence[Stretch]) -> Heard:
    """Read the sounds of the films that stretches are cut from.

    Raises:
        InputError: if nothing is heard in any.
    """
    numbers = sorted({stretch.film for stretch in stretches})
    sounds = {number: whole_sound(films[number].source) for number in numbers}
    names = {number: films[number].source.path.name for number in numbers}
    silent = tuple((names[number], sound) for number, sound in sounds.items() if not isinstance(sound, Sound))
    if len(silent) == len(numbers):
        name, reason = silent[0]
        raise InputError(f"films: no speech can be heard in them ({name}: {reason}); give films with sound")
    groups = _groups(stretches, sounds)
    measured = {number: offset for offset, members in groups for number in members}
    takes, first = [], 0
    for stretch in stretches:
        sound, offset = sounds[stretch.film], measured.get(stretch.film)
        late = 0.0 if offset is None else offset.seconds
        part = sound_between(sound, stretch.first, stretch.stop, late) if isinstance(sound, Sound) else None
        takes.append(Take(names[stretch.film], first, stretch.frames, part, late, stretch.first / FPS))
        first += stretch.frames
    offsets = [
        (names[members[0]] if len(members) == 1 else f"{len(members)} films", offset) for offset, members in groups
    ]
    return Heard(tuple(takes), tuple(offsets), silent)


def _groups(stretches: Sequence[Stretch], sounds: dict[int, Sound | str]) -> list[tuple[Offset, list[int]]]:
    """Offsets, and the films that have them: long films alone, short ones together."""
    heard = [number for number, sound in sounds.items() if isinstance(sound, Sound)]
    frames = {number: sum(one.frames for one in stretches if one.film == number) for number in heard}
    alone = [number for number in heard if frames[number] >= OWN_OFFSET * FPS]
    short = [number for number in heard if number not in alone]
    groups = [[number] for number in alone] + [short] * bool(short)
    return [
        (
            measure_offset([(opening_of(one), _sound(one, sounds)) for one in stretches if one.film in members]),
            members,
        )
        for members in groups
    ]


def opening_of(stretch: Stretch) -> np.ndarray:
    """(F,) opening of the mouth over the height of the face."""
    return mouth_opening(stretch.landmarks)


def _sound(stretch: Stretch, sounds: dict[int, Sound | str]) -> np.ndarray:
    sound = sounds[stretch.film]
    return sound_between(sound, stretch.first, stretch.stop).waveform
