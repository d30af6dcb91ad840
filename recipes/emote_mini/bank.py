"""Cut the motion bank from films: `python -m recipes.emote_mini.bank --films films.npz --out bank.npz`."""

import argparse
from pathlib import Path

import numpy as np

from emo_core.emote.bank import MotionBank
from emo_core.emote.bank_cutting import blinks_of, typical, unit_parts
from emo_core.emote.prosody import Prosody
from emo_core.files import atomic_path

from .gather import FPS, Film, load

HEADS = ("congress", "obama")
"""People whose heads move; GRID's hardly do."""
BLINKERS = ("s2", "s4", "s5", "s32")
BLINKS = 24


def make_bank(films: list[Film]) -> MotionBank:
    """From the films that may train."""
    moving = [film for film in films if film.use == "train" and film.person in HEADS]
    parts = [
        unit_parts(film.motion, Prosody(film.sound, len(film.motion), FPS).features(0, len(film.motion)))
        for film in moving
    ]
    blinks = [
        blink for film in films if film.use == "train" and film.person in BLINKERS for blink in blinks_of(film.motion)
    ]
    print(f"{sum(len(part['room']) for part in parts)} frames of motion, {len(blinks)} blinks")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return MotionBank.from_arrays(joined | {"blinks": typical(blinks, BLINKS)})


def load_bank(path: Path) -> MotionBank:
    """What this script wrote."""
    with np.load(path) as stored:
        return MotionBank.from_arrays(stored)


def main() -> None:
    """Cut and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    bank = make_bank(load(args.films))
    with atomic_path(args.out) as temporary:
        np.savez(temporary, **{name: getattr(bank, name) for name in MotionBank.__slots__})


if __name__ == "__main__":
    main()
