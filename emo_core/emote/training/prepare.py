"""Films of speakers to training material: face motion, what the model hears, and the emotion's label.

Shape legend: F frames.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...face.alignment import align
from ...face.detect import FaceDetector
from ...face.film import FilmedFace, watch_film
from ...face.motion_fit import filled, fit_motion
from ...face.rig_fit import estimate_neutral
from ...media.sound import prepare_sound
from ...media.video_reader import open_source, sound_of
from ..action_units import CURVES
from ..config import FPS
from ..weights import EmoteModel
from .heard import hear, save_film
from .labels import Label

NEUTRAL_FRAMES = 4000
"""Frames of a person from which the neutral face is taken, at most."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of the films."""

    films: int
    people: int
    labelled: int
    """Films with a known emotion."""
    left_out: tuple[str, ...]
    """A line for each film that was not used."""


def prepare(
    films: Mapping[Path, Label],
    out: Path,
    model: EmoteModel,
    detector: FaceDetector,
    *,
    progress: Callable[[str], None] = lambda name: None,
) -> Prepared:
    """Prepare films person by person. A person's neutral face comes from their neutral films, or else from all of them.

    Args:
        films: with their labels.
        out: an existing folder; one file for each film.
        model: that listens.
        detector: that gives landmarks.
        progress: called with the name of each film before it is read; raise in it to cancel.

    Raises:
        InputError: if no film can be used.
    """
    people: dict[str, list[Path]] = defaultdict(list)
    for path, label in films.items():
        people[label.person].append(path)
    left_out, used = [], []
    for paths in people.values():
        watched = {}
        for path in paths:
            progress(path.name)
            try:
                face = watch_film(path, detector)
                filled(face.landmarks)
                watched[path] = face
            except InputError as error:
                left_out.append(f"{path.name}: {error}")
        calm = [face for path, face in watched.items() if _is_neutral(films[path])] or list(watched.values())
        neutral = neutral_face([face.landmarks for face in calm]) if calm else None
        for path, face in watched.items():
            try:
                _prepare_film(path, films[path], face, neutral, out, model)
                used.append(films[path])
            except InputError as error:
                left_out.append(f"{path.name}: {error}")
    if not used:
        raise InputError(
            f"emote prepare: no film can be used; the first: {left_out[0] if left_out else 'there is none'}"
        )
    return Prepared(
        films=len(used),
        people=len({label.person for label in used}),
        labelled=sum(label.emotion is not None for label in used),
        left_out=tuple(left_out),
    )


def _prepare_film(
    path: Path, label: Label, face: FilmedFace, neutral: np.ndarray, out: Path, model: EmoteModel
) -> None:
    motion = fit_motion(face.landmarks, model.rig, size=face.size, fps=face.fps, neutral=neutral).resampled(FPS)
    sound = prepare_sound(sound_of(open_source(path)), str(path))
    film = hear(sound, model, name=path.stem, person=label.person, motion=motion.curves(CURVES), emotion=label.emotion)
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]  # Names repeat between folders.
    save_film(film, out / f"{path.stem}-{key}.safetensors")


def _is_neutral(label: Label) -> bool:
    return label.emotion is not None and not label.emotion.any()


def neutral_face(films: Sequence[np.ndarray]) -> np.ndarray:
    """(478, 3) one person's neutral face, from the landmarks (F, 478, 3) of their films."""
    points = np.concatenate([align(filled(landmarks)).points for landmarks in films])
    return estimate_neutral(points[:: max(1, len(points) // NEUTRAL_FRAMES)])
