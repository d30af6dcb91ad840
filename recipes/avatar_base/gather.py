"""Track the people of the base network: `python -m recipes.avatar_base.gather --data DATA --bundle face_landmarker.task --out FOLDER`.

Writes PERSON.safetensors (a track) and PERSON.codes.safetensors (the sound encoder's last layer at its frames). People are
GRID's that may train, without those of `HIDDEN`: what an avatar of a new person can do is measured on them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from emo_core.avatar.sound_codes import sound_codes
from emo_core.avatar.track import Track, load_track, save_track
from emo_core.avatar.tracking import track_person
from emo_core.emote.weights import load_emote
from emo_core.face.mediapipe_detector import TasksDetector
from emo_core.face.rig import load_rig
from emo_core.files import atomic_path

HIDDEN = ("s1", "s4", "s30", "s31", "s34")
ALIASES = {"grid_pwij3p": "s2", "grid_sbia1a": "s3", "grid_lbax4n": "s5", "grid_sbwe5n": "s32", "grid_lrwp9a": "s23"}
"""Speakers of files that do not name them, by face recognition."""
FOLDERS = ("talk/grid", "talk/grid_more")
SIDE = 256


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one person."""

    name: str
    track: Track
    codes: np.ndarray
    """(N, 128) float16"""


def person_of(path: Path) -> str | None:
    """Who speaks in a film, None where nobody may learn it."""
    name = ALIASES.get(path.stem, path.stem.split("_")[0])
    return name if name.startswith("s") and name not in HIDDEN else None


def films_of(data: Path) -> dict[str, list[Path]]:
    """The films of every person."""
    films: dict[str, list[Path]] = {}
    for folder in FOLDERS:
        for path in sorted((data / folder).glob("*.mp4")):
            if (person := person_of(path)) is not None:
                films.setdefault(person, []).append(path)
    return films


def load_people(folder: Path) -> Iterator[Person]:
    """What this script wrote."""
    for path in sorted(folder.glob("*.codes.safetensors")):
        name = path.name.removesuffix(".codes.safetensors")
        yield Person(name, load_track(folder / f"{name}.safetensors"), load_file(path)["codes"])


def save_codes(codes: np.ndarray, path: Path) -> None:
    """Write (N, 128)."""
    with atomic_path(path) as temporary:
        save_file({"codes": codes}, temporary)


def main() -> None:
    """Track everybody who is not tracked yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True, help="a face_landmarker.task")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    detector, rig, encoder = TasksDetector(args.bundle), load_rig(), load_emote().encoder
    for person, films in films_of(args.data).items():
        codes = args.out / f"{person}.codes.safetensors"
        if codes.exists():
            continue
        track, report = track_person(films, detector, rig, size=SIDE)
        print(person, len(films), "films", len(track), "frames", *report.lines(), sep="\n  ", flush=True)
        save_track(track, args.out / f"{person}.safetensors")
        save_codes(sound_codes(track, encoder), codes)


if __name__ == "__main__":
    main()
