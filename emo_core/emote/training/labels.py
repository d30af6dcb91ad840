"""Who shows which emotion in a film: from a CSV, or from the names of folders and files.

Known are the names of CREMA-D (`1001_DFA_ANG_HI.mp4`), MEAD (`M003/video/front/angry/level_3/001.mp4`), and any folder or part of a name
that is an emotion.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...emotion import ALIASES, EXPRESSIVE, STRONGEST, emotion_named
from ...errors import InputError

LEVELS = {"1": 0.4, "2": 0.7, "3": 1.0, "lo": 0.4, "md": 0.7, "hi": 1.0}
"""Level that an actor was asked for -> strength. A film without a level has strength 1."""
WORDS = {word for emotion, others in ALIASES.items() for word in (emotion, *others)}
COLUMNS = ("file", "emotion", "level", "strength", "person")


@dataclass(frozen=True, slots=True)
class Label:
    """Of one film."""

    person: str
    emotion: np.ndarray | None
    """(E,) strengths; zeros for neutral, None if nobody knows."""


def label_of(path: Path, folder: Path) -> Label:
    """Read the names below `folder`."""
    inner = path.relative_to(folder).with_suffix("")
    parts = [part for name in inner.parts for part in re.split(r"[_\-. ]+", name.lower())]
    found = [part for part in parts if part in WORDS]
    level = next((LEVELS[part] for part in parts if part in ("lo", "md", "hi")), None)
    numbered = re.search(r"level[_\- ]?(\d)", str(inner).lower())
    if numbered:
        level = LEVELS.get(numbered[1])
    emotion = None if not found else strengths(found[-1], 1.0 if level is None else level)
    own = inner.parts[0] if len(inner.parts) > 1 else re.split(r"[_\- ]+", inner.name)[0]
    return Label("person" if own.lower() in WORDS else own, emotion)


def read_labels(path: Path, folder: Path, films: Sequence[Path]) -> dict[Path, Label]:
    """Labels of films from a CSV with the columns file, emotion, and optionally level or strength, and person.

    Raises:
        InputError: for a table that cannot be read, an unknown emotion, or a film that is not in the folder.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"labels: {path} cannot be read ({error})") from error
    if not rows or not {"file", "emotion"} <= rows[0].keys():
        columns = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise InputError(f"labels: {path} has {columns}; expected a first line such as {','.join(COLUMNS)}")
    known = {str(film.relative_to(folder)): film for film in films}
    found = {}
    for number, row in enumerate(rows, start=2):
        if row["file"] not in known:
            raise InputError(f"labels: line {number} of {path} names {row['file']!r}, which is not a film in {folder}")
        film = known[row["file"]]
        named = label_of(film, folder)
        emotion = strengths(row["emotion"], _strength(row, f"line {number} of {path}")) if row["emotion"] else None
        found[film] = Label(row.get("person") or named.person, emotion)
    return found


def strengths(name: str, strength: float) -> np.ndarray:
    """(E,) of one emotion."""
    emotion = emotion_named(name)
    return np.array([strength * (emotion == other) for other in EXPRESSIVE], np.float32)


def _strength(row: Mapping[str, str], where: str) -> float:
    level = (row.get("level") or "").strip().lower()
    if level and level not in LEVELS:
        raise InputError(f"labels: {where} has level {level!r}; expected one of {', '.join(LEVELS)}")
    try:
        strength = float(row.get("strength") or LEVELS.get(level, 1.0))
    except ValueError:
        strength = float("nan")
    if not 0 <= strength <= STRONGEST:
        raise InputError(f"labels: {where} has strength {row['strength']!r}; expected 0 .. {STRONGEST:g}")
    return strength
