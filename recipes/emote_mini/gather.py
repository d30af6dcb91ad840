"""Motion and sound of the talking films: `python -m recipes.emote_mini.gather --data DATA --landmarks FOLDER --out films.npz`.

FOLDER keeps the landmarks of each film, which are found once. The sound stays as samples, so that any audio encoder can read it.

Shape legend: F frames at 25 fps, K coefficients, S samples.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from emo_core.emote.training.prepare import neutral_face
from emo_core.face.mediapipe_detector import BundledDetector
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_fit import filled, fit_motion
from emo_core.face.rig import FaceRig, load_rig
from emo_core.files import atomic_path
from emo_core.media.sound import prepare_sound
from emo_core.media.video_reader import frames_at, open_source, sound_of

FPS = 25.0
GRID = ("grid_s1", "talk/grid", "talk/grid_more", "talk/grid_s4_hq", "talk/grid_strangers")
FREE = ("talk/us_gov", "talk/research")
PEOPLE = {"swiz3n": "s26", "pwij3p": "s2", "sbia1a": "s3", "lbax4n": "s5", "sbwe5n": "s32", "lrwp9a": "s23"}
"""Speakers of films whose names do not tell them; the other films of that kind show s26."""
STRANGERS = ("s30", "s31", "s34", "swiz3n", "reagan_26s", "trump_10s", "speaker_60s", "expressive_34s")
"""People, and one film of a known person, that never train."""
TEST_EVERY = 20
"""Every n-th film of s1 is kept for tests."""


@dataclass(frozen=True, slots=True)
class Film:
    """One film."""

    name: str
    person: str
    use: str
    """`train`, or the name of its test."""
    motion: FaceMotion
    gap: np.ndarray
    """(F,) distance of the inner lips in the film, over the height of the face."""
    sound: np.ndarray
    """(S,) float32 at 16 kHz, speech at unit RMS."""


def person_of(path: Path) -> str:
    """The speaker of a film."""
    folder = path.parent.name
    if folder in ("grid_s1", "grid_s4_hq"):
        return folder.split("_")[1]
    if folder in ("us_gov", "research"):
        return path.stem.split("_")[0]
    match = re.match(r"(s\d+|sA)_", path.stem)
    return match[1] if match else PEOPLE.get(path.stem.removeprefix("grid_"), "s26")


def use_of(path: Path, place: int) -> str:
    """`train`, or the test that a film belongs to; `place` counts the films of its folder."""
    folder, person = path.parent.name, person_of(path)
    if folder == "research":
        return "research"
    if path.stem in STRANGERS:
        return "free"
    if person in STRANGERS:
        return "strangers"
    if path.stem.endswith("swiz3n"):
        return "unused"
    return "s1" if folder == "grid_s1" and place % TEST_EVERY == 0 else "train"


def landmarks_of(path: Path, folder: Path) -> tuple[np.ndarray, tuple[int, int], float]:
    """(F, 478, 3) pixels with NaN where no face is seen, the size of the picture, and the frame rate; found once and kept."""
    kept = folder / f"{path.parent.name}__{path.stem}.npz"
    if not kept.is_file():
        source, detector = open_source(path), BundledDetector()
        nothing = np.full((478, 3), np.nan, np.float32)
        rows = []
        for _, frame in frames_at(source, source.fps):
            faces = detector.detect(frame)
            rows.append(faces[0].landmarks.astype(np.float32) if faces else nothing)
            size = frame.shape[1::-1]
        with atomic_path(kept) as temporary:
            np.savez(temporary, landmarks=np.stack(rows), size=np.array(size), fps=source.fps)
    with np.load(kept) as stored:
        width, height = stored["size"]
        return stored["landmarks"].astype(np.float64), (int(width), int(height)), float(stored["fps"])


def lip_gap(points: np.ndarray) -> np.ndarray:
    """(F, 478, 3) landmarks or points of the rig to (F,): distance of the inner lips over the height of the face."""
    gap = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)
    return gap / np.linalg.norm(points[:, 10] - points[:, 152], axis=-1)


def gap_at(gap: np.ndarray, fps: float, frames: int) -> np.ndarray:
    """A curve at `fps`, at the middle of each frame at FPS."""
    return np.interp((np.arange(frames) + 0.5) * fps / FPS - 0.5, np.arange(len(gap)), gap)


def films(data: Path, landmarks: Path, rig: FaceRig) -> Iterator[Film]:
    """All films, fitted. People of GRID have one neutral face in all films; a free speaker's is of that film."""
    paths = [
        (path, place) for folder in (*GRID, *FREE) for place, path in enumerate(sorted((data / folder).glob("*.mp4")))
    ]
    same = {}
    for path, _ in paths:
        if path.parent.name not in ("us_gov", "research"):
            # The camera's distance changes a face a little, so the films of a folder share a neutral face.
            same.setdefault((path.parent.name, person_of(path)), []).append(path)
    neutral = {}
    for path, place in tqdm(paths, desc="films", disable=None):
        key = (path.parent.name, person_of(path))
        if key in same and key not in neutral:
            neutral[key] = neutral_face([landmarks_of(other, landmarks)[0] for other in same[key][::4] or same[key]])
        pixels, size, fps = landmarks_of(path, landmarks)
        motion = fit_motion(pixels, rig, size=size, fps=fps, neutral=neutral.get(key)).resampled(FPS)
        gap = gap_at(lip_gap(filled(pixels)), fps, len(motion))
        sound = prepare_sound(sound_of(open_source(path)), str(path)).waveform
        yield Film(f"{path.parent.name}/{path.stem}", key[1], use_of(path, place), motion, gap, sound)


def save(found: list[Film], path: Path) -> None:
    """Write films, one array after another."""
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            about=np.array([(film.name, film.person, film.use) for film in found]),
            frames=np.array([len(film.motion) for film in found]),
            samples=np.array([len(film.sound) for film in found]),
            coefficients=np.concatenate([film.motion.coefficients for film in found]).astype(np.float16),
            rotation=np.concatenate([film.motion.rotation for film in found]),
            translation=np.concatenate([film.motion.translation for film in found]),
            gap=np.concatenate([film.gap for film in found]).astype(np.float32),
            sound=np.concatenate([film.sound for film in found]).astype(np.float16),
        )


def load(path: Path) -> list[Film]:
    """What `save` wrote."""
    with np.load(path) as stored:
        about, frames, samples = stored["about"], stored["frames"], stored["samples"]
        parts = {name: np.split(stored[name].astype(np.float32), np.cumsum(frames)[:-1]) for name in
                 ("coefficients", "rotation", "translation", "gap")}  # fmt: skip
        sounds = np.split(stored["sound"], np.cumsum(samples)[:-1])
    return [
        Film(
            *map(str, row),
            FaceMotion(
                coefficients=parts["coefficients"][i],
                rotation=parts["rotation"][i],
                translation=parts["translation"][i],
                fps=FPS,
            ),
            parts["gap"][i],
            sounds[i].astype(np.float32),
        )
        for i, row in enumerate(about)
    ]


def main() -> None:
    """Gather and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--landmarks", type=Path, required=True, help="folder for the landmarks of each film")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.landmarks.mkdir(parents=True, exist_ok=True)
    save(list(films(args.data, args.landmarks, load_rig())), args.out)


if __name__ == "__main__":
    main()
