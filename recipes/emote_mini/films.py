"""The filmed lips and the sound of talking people, and who of them may teach.

Landmarks come as files FOLDER__CLIP.npz with `landmarks` (F, 478, 3) in pixels (NaN where there is no face) and `fps`.

Shape legend: F frames, T features at 50 Hz.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emo_core.audio.config import FIELD, HOP
from emo_core.face.mouth import mouth_boxes, mouth_opening
from emo_core.media.sound import SAMPLE_RATE, load_sound
from recipes.emo_mini.make import EVERY

FOLDERS = (
    "grid_s1",
    "talk/grid",
    "talk/grid_more",
    "talk/grid_s4_hq",
    "talk/grid_strangers",
    "talk/us_gov",
    "talk/research",
)
STRANGERS = ("s30", "s31", "s34")
"""People of GRID who never teach."""
FREE_STRANGERS = ("reagan_26s", "trump_10s")
"""The two addresses that never teach, by people who are in no other."""
SEEN = 0.5
"""Least share of frames with a face."""
LEFT_OUT = ("swiz3n", "expressive_34s")
"""In neither part: the clip of a person who teaches among the strangers' of emo-mini, and a face that moves too much."""
_GRID = {"pwij3p": "s2", "sbia1a": "s3", "lbax4n": "s5", "sbwe5n": "s32", "lrwp9a": "s23"}
"""Clips of `talk/grid` that are not of s26, unless their name begins with the person."""


@dataclass(frozen=True, slots=True)
class Film:
    """A clip's sound and lips."""

    name: str
    person: str
    role: str
    """`teach`, or who is measured: `s1`, `strangers`, `free` or `research`."""
    sound: np.ndarray
    """(S,) at 16 kHz, speech at unit level."""
    fps: float
    lips: np.ndarray
    """(F, 3) opening, height and width over the height of the face, from their resting size."""
    seen: np.ndarray
    """(F,) whether there is a face."""


def person_of(folder: str, clip: str) -> str:
    """Who speaks in a clip."""
    if folder == "grid_s1":
        return "s1"
    if folder == "grid_s4_hq":
        return "s4"
    if folder.startswith("grid"):
        named = re.match(r"(s\d+|sA)_", clip)
        return named[1] if named else next((who for part, who in _GRID.items() if part in clip), "s26")
    return re.sub(r"_\d+s$", "", clip)


def role_of(folder: str, clip: str, held_out: frozenset[str]) -> str | None:
    """See `Film.role`; None for clips in neither part. `held_out` are the clips of s1 that do not teach."""
    if any(part in clip for part in LEFT_OUT):
        return None
    if person_of(folder, clip) in STRANGERS:
        return "strangers"
    if folder == "research":
        return "research"
    if clip in FREE_STRANGERS:
        return "free"
    return "s1" if folder == "grid_s1" and clip in held_out else "teach"


def lips_of(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 478, 3) landmarks to lips (F, 3) and whether they are seen (F,); unseen frames are interpolated."""
    seen = np.isfinite(landmarks[:, :, :2]).all((1, 2))
    points = landmarks[seen]
    boxes, height = mouth_boxes(points), np.linalg.norm(points[:, 10, :2] - points[:, 152, :2], axis=-1)
    # The lips turn with the head, so their height is taken along the face.
    tall = np.linalg.norm(points[:, 0, :2] - points[:, 17, :2], axis=-1) / height
    size = np.stack([mouth_opening(points), tall, (boxes[:, 2] - boxes[:, 0]) / height], axis=1)
    size = size - np.percentile(size, (10, 10, 50), axis=0).diagonal()
    frames = np.arange(len(landmarks))
    return np.stack([np.interp(frames, frames[seen], column) for column in size.T], axis=1), seen


def at_features(values: np.ndarray, fps: float, count: int) -> np.ndarray:
    """(F, ...) per frame to (count, ...) at the middles of features."""
    middles = (np.arange(count) * HOP + FIELD / 2) / SAMPLE_RATE * fps - 0.5
    flat = values.reshape(len(values), -1).astype(float)
    columns = [np.interp(middles, np.arange(len(values)), column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(count, *values.shape[1:])


def read_films(data: Path, landmarks: Path, most: int | None = None) -> Iterator[Film]:
    """All films that have landmarks, in a fixed order; of those of a person that teach, at most so many, evenly spaced."""
    held_out = frozenset(path.stem for path in sorted((data / "grid_s1").glob("*.mp4"))[::EVERY])
    places = [
        (path, person_of(path.parent.name, path.stem), role, file)
        for folder in FOLDERS
        for path in sorted((data / folder).glob("*.mp4"))
        if (role := role_of(path.parent.name, path.stem, held_out)) is not None
        and (file := landmarks / f"{path.parent.name}__{path.stem}.npz").is_file()
    ]
    taught: dict[str, list[Path]] = {}
    for path, person, role, _ in places:
        if role == "teach":
            taught.setdefault(person, []).append(path)
    kept = {path for own in taught.values() for path in spaced(own, most or len(own))}
    for path, person, role, file in places:
        if role == "teach" and path not in kept:
            continue
        with np.load(file) as stored:
            points, fps = stored["landmarks"], float(stored["fps"])
        if np.isfinite(points).all((1, 2)).mean() >= SEEN:
            lips, seen = lips_of(points)
            yield Film(path.stem, person, role, load_sound(path).waveform, fps, lips, seen)


def spaced(items: list[Path], count: int) -> list[Path]:
    """At most `count` of them, evenly spaced."""
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, min(count, len(items)))]
