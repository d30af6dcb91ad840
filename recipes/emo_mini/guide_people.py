"""Who teaches the guided network: films of GRID and stills of many people, and who of them is kept out to measure on."""

from dataclasses import dataclass
from pathlib import Path

from recipes.emote_mini.gather import GRID, person_of, use_of

STILLS = ("faces_ai_faker", "faces_cc0_interfaces", "frl/canada", "frl/neutral_front")
"""Folders with one picture of each person."""
SMILING = "frl/smiling_front"
"""The people of `frl/neutral_front` once more."""
KEPT_OUT_EVERY = 12
"""Every 12th person of each folder, in the order of their names, is kept out, with all their pictures."""
PER_PERSON = 18
"""Films of one speaker, at most."""


@dataclass(frozen=True, slots=True)
class Stills:
    """Pictures of people who teach, and one picture of each person who does not."""

    teach: tuple[Path, ...]
    kept_out: tuple[Path, ...]


def stills(data: Path) -> Stills:
    """All stills that may train. Official portraits of public figures are in another folder and never do."""
    teach, kept_out = [], []
    for folder in STILLS:
        paths = sorted(path for path in (data / "stills" / folder).iterdir() if path.suffix in (".jpg", ".png"))
        own = paths[KEPT_OUT_EVERY // 2 :: KEPT_OUT_EVERY]
        kept_out += own
        teach += [path for path in paths if path not in own]
    smiles = {path.stem.split("_")[0]: path for path in sorted((data / "stills" / SMILING).glob("*.jpg"))}
    teach += [
        smiles[path.stem.split("_")[0]]
        for path in teach
        if path.parent.name == "neutral_front" and path.stem.split("_")[0] in smiles
    ]
    return Stills(tuple(teach), tuple(kept_out))


def films(data: Path, per_person: int = PER_PERSON) -> dict[str, list[Path]]:
    """Films of each speaker of GRID who may teach, evenly chosen from each folder."""
    found: dict[str, dict[str, list[Path]]] = {}
    for folder in GRID:
        for place, path in enumerate(sorted((data / folder).glob("*.mp4"))):
            if use_of(path, place) == "train":
                found.setdefault(person_of(path), {}).setdefault(folder, []).append(path)
    return {person: _chosen(tuple(folders.values()), per_person) for person, folders in sorted(found.items())}


def kept_out_films(data: Path) -> dict[str, list[Path]]:
    """Films of each speaker who never teaches."""
    found: dict[str, list[Path]] = {}
    for path in strangers(data):
        found.setdefault(person_of(path), []).append(path)
    return found


def strangers(data: Path) -> list[Path]:
    """Films of speakers who never teach."""
    return [
        path
        for folder in GRID
        for place, path in enumerate(sorted((data / folder).glob("*.mp4")))
        if use_of(path, place) == "strangers"
    ]


def _chosen(folders: tuple[list[Path], ...], count: int) -> list[Path]:
    """The same number of films from each folder, evenly spaced."""
    each = -(-count // len(folders))
    return [
        paths[len(paths) * place // min(each, len(paths))]
        for paths in folders
        for place in range(min(each, len(paths)))
    ]
