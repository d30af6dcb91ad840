"""Synthetic voices as films: `python -m recipes.emote_mini.voices --films films.npz --passages passages.npz --out voices.npz`.

Free speech of few people was filmed. The passages of `recipes.emote_mini.passages` are spoken by many voices, and have typical lips for their
speech sounds. A ridge regression on films turns three numbers of the lips into all curves of the mouth.

Shape legend: F frames at 25 fps, T steps of 20 ms, K curves.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emo_core.audio.config import FIELD, HOP
from emo_core.face.coefficients import MOUTH
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import FaceRig, load_rig
from emo_core.media.sound import SAMPLE_RATE, prepare_sound

from .gather import FPS, Film, load, save
from .hearing import ridge

KINDS = {3: "natural", 4: "formant"}
"""Numbers of kinds in a file of passages that are synthetic."""
FORMANT_SHARE = 0.5
REACH = 2
RIDGE = 100.0
EVERY = 4
"""Every n-th film of s1 is read."""


def lips_of(motion: FaceMotion, rig: FaceRig) -> np.ndarray:
    """(F, 3) opening, height and width of the lips over the height of the face, from their resting size."""
    points = rig.mean + rig.offsets(motion)
    tall = np.linalg.norm(points[:, 10] - points[:, 152], axis=-1)
    pairs = ((13, 14), (0, 17), (61, 291))
    size = np.stack([np.linalg.norm(points[:, a] - points[:, b], axis=-1) / tall for a, b in pairs], axis=1)
    return size - np.percentile(size, (10, 10, 50), axis=0).diagonal()


def near(lips: np.ndarray) -> np.ndarray:
    """(F, 3) to those of the neighbours, too."""
    index = np.clip(np.arange(len(lips))[:, None] + np.arange(-REACH, REACH + 1), 0, len(lips) - 1)
    return lips[index].reshape(len(lips), -1)


class Mouths:
    """Curves of the mouth from three numbers."""

    def __init__(self, films: list[Film], rig: FaceRig) -> None:
        """Fit to films."""
        chosen = [
            film for i, film in enumerate(films) if film.use == "train" and (film.person != "s1" or i % EVERY == 0)
        ]
        lips = [lips_of(film.motion, rig) for film in chosen]
        inputs = np.concatenate([near(part) for part in lips])
        self._mean, self._scale = inputs.mean(0), 1 / inputs.std(0)
        self.spread = np.concatenate(lips).std(0)
        targets = np.concatenate([film.motion.curves(MOUTH) for film in chosen])
        weights = np.ones(len(inputs), np.float32)
        self._solution, self._centre = ridge((inputs - self._mean) * self._scale, targets, weights, RIDGE)

    def motion(self, lips: np.ndarray) -> FaceMotion:
        """(F, 3) to a motion."""
        curves = np.clip((near(lips) - self._mean) * self._scale @ self._solution + self._centre, 0, 1)
        return FaceMotion.still(len(lips), FPS).with_curves(dict(zip(MOUTH, curves.T, strict=True)))


def voices(passages: Path, mouths: Mouths, seed: int = 0) -> Iterator[Film]:
    """Passages that teach, as films."""
    rng = np.random.default_rng(seed)
    with np.load(passages) as stored:
        arrays = {name: stored[name] for name in ("sounds", "lips", "begin", "count", "kind", "clean", "held_out")}
    synthetic = np.isin(arrays["kind"], list(KINDS))
    steps = np.repeat(synthetic, arrays["count"])
    factor = mouths.spread / arrays["lips"][steps].std(0)
    for number in np.flatnonzero(synthetic & ~arrays["held_out"].astype(bool)):
        kind = KINDS[int(arrays["kind"][number])]
        if arrays["clean"][number] != number or (kind == "formant" and rng.random() > FORMANT_SHARE):
            continue
        begin, count = int(arrays["begin"][number]), int(arrays["count"][number])
        sound = prepare_sound(arrays["sounds"][begin * HOP : (begin + count) * HOP].astype(np.float32) / 32768).waveform
        frames = int(len(sound) / SAMPLE_RATE * FPS)
        middles = ((np.arange(frames) + 0.5) / FPS * SAMPLE_RATE - FIELD / 2) / HOP
        lips = np.stack(
            [np.interp(middles, np.arange(count), column) for column in arrays["lips"][begin : begin + count].T], 1
        )
        yield Film(f"{kind}/{number}", kind, "train", mouths.motion(lips * factor), lips[:, 0], sound)


def main() -> None:
    """Make and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--passages", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    save(list(voices(args.passages, Mouths(load(args.films), load_rig()))), args.out)


if __name__ == "__main__":
    main()
