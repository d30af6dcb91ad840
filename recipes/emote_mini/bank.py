"""Cut the motion bank from films: `python -m recipes.emote_mini.bank --films films.npz --out bank.npz`."""

import argparse
from pathlib import Path

import numpy as np

from emo_core.emote.bank import CURVES, MotionBank
from emo_core.emote.prosody import Prosody
from emo_core.face.motion import FaceMotion
from emo_core.files import atomic_path

from .gather import FPS, Film, load

HEADS = ("congress", "obama")
"""People whose heads move; GRID's hardly do."""
BLINKERS = ("s2", "s4", "s5", "s32")
BLINKS = 24
REACH = 8
"""Frames of a blink on each side of its middle."""
REST = 0.25
"""Quantile of a curve that is its film's rest."""
SMOOTH = 1.5
"""Frames over which brows are smoothed."""
CONTACT = 0.75
"""Share of the head's turn that eyes take back, see `emo_core.emote.speak`."""
GAZE_LIMIT = 5.0
"""Degrees."""


def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """(F, C) with a Gaussian, the ends repeated."""
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], axis=1)


def without_blinks(values: np.ndarray, lids: np.ndarray) -> np.ndarray:
    """(F, C) interpolated where the lids (F,) are shut: landmarks of iris and lids are wrong there."""
    seen = lids < np.median(lids) + 0.3
    seen &= np.convolve(seen, np.ones(5), "same") > 4.5
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, frames[seen], column[seen]) for column in values.T], axis=1)


def unit_parts(film: Film) -> dict[str, np.ndarray]:
    """One film as part of a bank."""
    motion, lids = film.motion, np.minimum(film.motion.curve("eyeBlinkLeft"), film.motion.curve("eyeBlinkRight"))
    curves = smooth(without_blinks(motion.curves(CURVES), lids), SMOOTH)
    curves = np.maximum(curves - np.quantile(curves, REST, axis=0), 0)
    contact = np.stack([-motion.rotation[:, 1], motion.rotation[:, 0]], axis=1) * CONTACT
    gaze = smooth(without_blinks(motion.gaze - contact, lids), SMOOTH)
    return {
        "rotation": motion.rotation,
        "translation": motion.translation,
        "curves": curves,
        "gaze": np.clip(gaze - np.median(gaze, axis=0), -GAZE_LIMIT, GAZE_LIMIT),
        "features": Prosody(film.sound, len(motion), FPS).features(0, len(motion)),
        "room": np.arange(len(motion), 0, -1),
    }


def blinks_of(motion: FaceMotion) -> list[np.ndarray]:
    """(2 REACH + 1, 2) lids of a film's blinks, open at both ends and shut in the middle."""
    lids = motion.curves(("eyeBlinkLeft", "eyeBlinkRight"))
    both, found = lids.min(1), []
    for middle in range(REACH, len(lids) - REACH):
        part = lids[middle - REACH : middle + REACH + 1]
        if both[middle] < 0.6 or both[middle] < both[middle - REACH : middle + REACH + 1].max():
            continue
        rest = np.maximum(part[:2].mean(0), part[-2:].mean(0))
        if (rest > 0.35).any() or part[:3].max() > 0.5:
            continue
        line = np.linspace(part[0], part[-1], len(part))
        curve = (part - line) / np.maximum(part[REACH] - line[REACH], 1e-3)
        fade = np.minimum(1, np.minimum(np.arange(len(part)), np.arange(len(part))[::-1]) / 2)[:, None]
        curve = np.clip(curve * fade, 0, 1)
        if ((curve > 0.5).sum(0) < 8).all():
            found.append(curve)
    return found


def make_bank(films: list[Film]) -> MotionBank:
    """From the films that may train."""
    parts = [unit_parts(film) for film in films if film.use == "train" and film.person in HEADS]
    blinks = [
        blink for film in films if film.use == "train" and film.person in BLINKERS for blink in blinks_of(film.motion)
    ]
    print(f"{sum(len(part['room']) for part in parts)} frames of motion, {len(blinks)} blinks")
    # Typical ones: near the mean curve.
    distance = np.square(np.stack(blinks) - np.mean(blinks, axis=0)).sum((1, 2))
    chosen = np.argsort(distance, kind="stable")[: max(BLINKS, 1)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return MotionBank.from_arrays(joined | {"blinks": np.stack(blinks)[chosen]})


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
