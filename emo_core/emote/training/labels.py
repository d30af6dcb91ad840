"""Who shows which emotion in a film: from a CSV, or from the names of folders and files.

Known are the names of CREMA-D (`1001_DFA_ANG_HI.mp4`), MEAD (`M003/video/front/angry/level_3/001.mp4`), and any folder or part of a name
that is an emotion.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...dataset.emotion_labels import LEVELS, read_table
from ...emotion import ALIASES, EmotionCurve
from ...errors import InputError

WORDS = {word for emotion, others in ALIASES.items() for word in (emotion, *others)}


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
    """Labels of films from a CSV, see `dataset.emotion_labels`. Films that it does not name have no emotion.

    Raises:
        InputError: for a table that cannot be read, a line that names no film, or an emotion that changes within a film.
    """
    found = {film: Label(label_of(film, folder).person, None) for film in films}
    for row in read_table(path):
        named = [film for film in films if row.names(film)]
        if not named:
            raise InputError(
                f"labels: line {row.line} of {path} names {row.pattern!r}, which is not a film in {folder}"
            )
        if len(set(row.curve.strengths)) > 1:
            raise InputError(f"labels: line {row.line} of {path} has {row.curve}; expected one emotion for a film")
        emotion = np.array(row.curve.strengths[0], np.float32)
        found |= {film: Label(row.person or found[film].person, emotion) for film in named}
    return found


def strengths(name: str, strength: float) -> np.ndarray:
    """(E,) of one emotion."""
    return np.array(EmotionCurve.constant(name, strength).strengths[0], np.float32)
