"""Every number of emotions in emote-mini's card: `python -m recipes.emote_mini.measure_emotion --model emote-mini.safetensors --films films.npz --out table.json`.

All voices and people are of films that taught nothing. The control of each row is the neutral motion of the same sound.

Shape legend: F frames.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from emo_core.curve import Curve
from emo_core.emote.config import FPS
from emo_core.emote.prosody import Prosody
from emo_core.emote.speak import SpeakRequest, encode, speak
from emo_core.emote.weights import EmoteModel, load_emote
from emo_core.emotion import EXPRESSIVE, NEUTRAL, EmotionCurve
from emo_core.face import mesh_points as mesh
from emo_core.face.coefficients import BLINK, LOOK
from emo_core.face.motion import FaceMotion
from emo_core.files import write_json
from emo_core.media.sound import Sound

from .gather import Film, lip_gap, load

SHUT, CLOSED = 0.004, 0.012
"""Gap over the neutral face's, in heights of the face: of lips that speech has closed, and up to which they count as closed."""
STRENGTHS = (0.0, 0.5, 1.0, 1.5)
PAIRS = ((1, 2), (3, 4), (5, 6))
"""Numbers of styles, and of seeds, that are compared."""
UPPER = (*mesh.RIGHT_BROW, *mesh.LEFT_BROW, *mesh.RIGHT_LID_LOWER, *mesh.LEFT_LID_LOWER, 205, 425, 50, 280)
"""Brows, lower lids and cheeks. Upper lids are left out, as they blink."""


class Bench:
    """A model, and what it made of sounds."""

    def __init__(self, model: EmoteModel) -> None:
        self.model = model
        self.neutral = float(lip_gap(model.rig.points(FaceMotion.still(1, FPS)))[0])

    def motion(self, film: Film, emotion: EmotionCurve = NEUTRAL, style: int = 0, seed: int = 0) -> FaceMotion:
        """The head is still."""
        request = SpeakRequest(speed=Curve.constant(0), emotion=emotion, emotion_style=style, seed=seed)
        return speak(Sound(film.sound), self.model, request)

    def gap(self, motion: FaceMotion) -> np.ndarray:
        """(F,) over the neutral face's."""
        return lip_gap(self.model.rig.points(motion)) - self.neutral


def lips(bench: Bench, films: list[Film]) -> dict[str, dict[str, float]]:
    """Per emotion at strength 1: the lips' gap against the neutral version and the film, and closures."""
    rows: dict[str, list[list[float]]] = {name: [] for name in ("neutral", *EXPRESSIVE)}
    kept: dict[str, list[np.ndarray]] = {name: [] for name in rows}
    for film in films:
        plain = bench.gap(bench.motion(film))
        spoken = ~Prosody(film.sound, len(plain), FPS).pause
        count = min(len(plain), len(film.gap))
        for name in rows:
            gap = plain if name == "neutral" else bench.gap(bench.motion(film, EmotionCurve.constant(name)))
            rows[name].append([np.corrcoef(gap, plain)[0, 1], np.corrcoef(gap[:count], film.gap[:count])[0, 1]])
            kept[name].append(gap[spoken & (plain < SHUT)] <= CLOSED)
    table = {}
    for name, values in rows.items():
        to_neutral, to_film = np.median(values, axis=0)
        closures = np.concatenate(kept[name])
        table[name] = {"r_to_neutral": round(float(to_neutral), 3), "r_to_film": round(float(to_film), 3),
                       "closed_kept": round(float(closures.mean()), 3), "closed_frames": len(closures)}  # fmt: skip
    return table


def distances(bench: Bench, films: list[Film]) -> dict[str, list[float]]:
    """Mean distance of the points from the neutral version, in percent of the eye corners' distance, at STRENGTHS."""
    table = {}
    for name in EXPRESSIVE:
        found = []
        for strength in STRENGTHS:
            parts = []
            for film in films:
                points = [bench.model.rig.offsets(bench.motion(film, emotion)) for emotion in
                          (NEUTRAL, EmotionCurve.constant(name, strength))]  # fmt: skip
                parts.append(np.linalg.norm(points[1] - points[0], axis=-1).mean())
            found.append(round(100 * float(np.mean(parts)), 3))
        table[name] = found
    return table


def own_spread(bench: Bench, films: list[Film]) -> float:
    """Mean distance of a film's points from their mean, without gaze and blinks."""
    parts = []
    for film in films:
        points = bench.model.rig.offsets(_calm(film.motion))
        parts.append(np.linalg.norm(points - points.mean(0), axis=-1).mean())
    return float(np.mean(parts))


def styles(bench: Bench, films: list[Film]) -> dict[str, float]:
    """Distance of two styles, and of two seeds, of the same sound and emotion, over the films' own spread."""
    spread, found = own_spread(bench, films), {}
    for kind in ("style", "seed"):
        parts = []
        for name in EXPRESSIVE:
            for film in films:
                for pair in PAIRS:
                    points = [
                        bench.model.rig.offsets(
                            _calm(bench.motion(film, EmotionCurve.constant(name), **{kind: number}))
                        )
                        for number in pair
                    ]
                    parts.append(np.linalg.norm(points[1] - points[0], axis=-1).mean())
        found[kind] = round(float(np.mean(parts)) / spread, 3)
    return found


def upper_face(bench: Bench, films: list[Film]) -> dict[str, float]:
    """Deviation over time of the upper face's points, made over filmed, medians over films."""
    table = {}
    for name in ("neutral", *EXPRESSIVE):
        parts = []
        for film in films:
            emotion = NEUTRAL if name == "neutral" else EmotionCurve.constant(name)
            made, true = (bench.model.rig.offsets(_calm(motion))[:, list(UPPER)] for motion in
                          (bench.motion(film, emotion), film.motion))  # fmt: skip
            parts.append(made.std(0).mean() / true.std(0).mean())
        table[name] = round(float(np.median(parts)), 3)
    return table


def speed(bench: Bench, film: Film) -> dict[str, float]:
    """Seconds of sound per second of work on one thread: all, and without the audio encoder."""
    sound = Sound(np.resize(film.sound, 60 * 16000))
    request = SpeakRequest(emotion=EmotionCurve.constant("happy"))
    encoded = encode(sound, bench.model)
    found = {}
    for name, given in (("with_encoder", None), ("motion_alone", encoded)):
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            speak(sound, bench.model, request, features=given)
            times.append(time.perf_counter() - begin)
        found[name] = round(60 / float(np.median(times)), 1)
    return found


def _calm(motion: FaceMotion) -> FaceMotion:
    """Without blinks, gaze and head."""
    zeros = np.zeros(len(motion), np.float32)
    still = motion.with_curves(dict.fromkeys((*BLINK, *LOOK), zeros))
    return replace(still, rotation=np.zeros_like(motion.rotation), translation=np.zeros_like(motion.translation))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--most", type=int, default=24, help="films of each kind, at most")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    bench, films = Bench(load_emote(args.model)), load(args.films)
    strangers = [film for film in films if film.use == "strangers"][: args.most]
    free = [film for film in films if film.use in ("free", "research")]
    table = {}
    for name, measure in {
        "lips, strangers of GRID": lambda: lips(bench, strangers),
        "lips, free speech": lambda: lips(bench, free),
        "distance at strengths": lambda: distances(bench, strangers[::4]),
        "styles and seeds over the films' own spread": lambda: styles(bench, strangers[::4]),
        "upper face": lambda: upper_face(bench, strangers),
        "times real time, one thread": lambda: speed(bench, strangers[0]),
    }.items():
        table[name] = measure()
        print(name, json.dumps(table[name], indent=1), flush=True)
    write_json(args.out, table)


if __name__ == "__main__":
    main()
