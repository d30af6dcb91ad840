"""What the audio encoder hears in each film: `python -m recipes.emote_mini.hearing --films films.npz --encoder emo-mini --out heard.npz`.

GRID's sound lags its picture by up to 65 ms, by speaker. A first ridge regression on the lips of s1 measures each speaker's lag, and the
sounds are shifted by it before they are encoded for good.

Shape legend: F frames, L D layers and width of the encoder, M mel bands, I inputs.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from tqdm import tqdm

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.features import AudioFeatures
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.emote.config import EmoteConfig
from emo_core.emote.listening import Spectrum
from emo_core.emote.training.heard import windowed
from emo_core.files import atomic_path
from emo_core.media.sound import SAMPLE_RATE, Sound
from recipes.emo_mini.audio import load_audio_encoder

from .gather import FPS, Film, load

EMO_MINI = Path(__file__).resolve().parents[2] / "models" / "emo-mini.safetensors"
WINDOW = 2
REACH = 4
"""Largest lag in frames."""
MAX_SHIFT = 0.08
"""Largest lag in seconds that is believed."""
RIDGE = 300.0


def load_ear(name: str) -> AudioEncoder:
    """`emo-mini` for the encoder of emo-mini, or a file that `recipes.emo_mini.audio` or an encoder's recipe wrote."""
    if name == "emo-mini":
        return load_checkpoint(EMO_MINI).audio_encoder
    with safe_open(Path(name), "pt") as stored:
        if "config" not in (stored.metadata() or {}):
            raise SystemExit(f"{name} is no encoder of the recipes")
    return load_audio_encoder(Path(name)).eval().requires_grad_(False)


@torch.no_grad()
def heard(film: Film, encoder: AudioEncoder, lag: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """What the encoder hears (F, L, D), and the log-mel (F, M), float16; `lag` in seconds by which the sound is late."""
    late = round(lag * SAMPLE_RATE)
    samples = film.sound[late:] if late >= 0 else np.pad(film.sound, (-late, 0))
    wanted = round(len(film.motion) / FPS * SAMPLE_RATE)
    samples = np.pad(samples, (0, max(0, wanted - len(samples))))[:wanted]
    return heard_sound(Sound(samples), encoder)


@torch.no_grad()
def heard_sound(sound: Sound, encoder: AudioEncoder) -> tuple[np.ndarray, np.ndarray]:
    """As `heard`, of any sound."""
    features = AudioFeatures(sound, encoder, fps=FPS, window=0)
    mel = Spectrum(sound, EmoteConfig().mel_bands).frames(0, features.frames)
    return features.frame_features(0, features.frames).numpy().astype(np.float16), mel.numpy().astype(np.float16)


def windows(heard: tuple[np.ndarray, np.ndarray], start: int = 0, stop: int | None = None) -> np.ndarray:
    """What is heard of a film to inputs (F, I) float32 of frames [start, stop), which may reach past the end."""
    stop = len(heard[0]) if stop is None else stop
    return windowed(*heard, start, stop, (WINDOW, EmoteConfig().mel_window)).numpy()


def ridge(
    inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted ridge regression on standardised inputs.

    Args:
        inputs: (N, I) of mean 0 and deviation 1.
        targets: (N, O)
        weights: (N,)
        strength: in samples.

    Returns:
        Weights (I, O), and constants (O,).
    """
    scaled = inputs * weights[:, None]
    centre = (weights[:, None] * targets).sum(0) / weights.sum()
    gram = scaled.T @ inputs
    gram[np.diag_indices_from(gram)] += strength
    return np.linalg.solve(gram, scaled.T @ (targets - centre)).astype(np.float32), centre.astype(np.float32)


def measured_lags(films: list[Film], features: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Seconds by which the sound is late, by folder and person, against the lips of s1."""
    own = [i for i, film in enumerate(films) if film.name.startswith("grid_s1/") and film.use == "train"][::4]
    inputs = np.concatenate([windows(features[i]) for i in own])
    mean, scale = inputs.mean(0), inputs.std(0) + 1e-3
    gaps = np.concatenate([films[i].gap for i in own])[:, None]
    weights, centre = ridge((inputs - mean) / scale, gaps, np.ones(len(inputs), np.float32), RIDGE)
    scores = defaultdict(lambda: np.zeros(2 * REACH + 1))
    for film, feature in zip(films, features, strict=True):
        made = ((windows(feature) - mean) / scale @ weights + centre)[:, 0]
        true = film.gap
        inner = slice(REACH, len(true) - REACH)
        made = (made - made.mean()) / made.std()
        shifted = np.array(
            [np.corrcoef(true[inner], np.roll(made, step)[inner])[0, 1] for step in range(-REACH, REACH + 1)]
        )
        scores[lag_key(film)] += np.nan_to_num(shifted) * len(true)
    return {key: _peak(score) / FPS for key, score in scores.items()}


def _peak(score: np.ndarray) -> float:
    """Frames by which the mouth should be moved to meet the sound, negated: positive if the sound is late."""
    best = int(np.clip(score.argmax(), 1, len(score) - 2))
    before, at, after = score[best - 1 : best + 2]
    bend = before - 2 * at + after
    fine = 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
    return -(best + fine - REACH)


def lag_key(film: Film) -> str:
    """Films of a person in one folder share a lag."""
    return f"{film.name.split('/')[0]}/{film.person}"


def main() -> None:
    """Encode, measure lags on the training films, encode again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--encoder", default="emo-mini", help="emo-mini, or a file of an encoder")
    parser.add_argument("--lags", type=Path, help="a file of this script whose lags are used")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    films, encoder = load(args.films), load_ear(args.encoder)
    if args.lags:
        with np.load(args.lags) as stored:
            lags = dict(zip(map(str, stored["lag_of"]), map(float, stored["lags"]), strict=True))
    else:
        first = [heard(film, encoder) for film in tqdm(films, disable=None)]
        lags = measured_lags(films, first)
        for key, lag in sorted(lags.items()):
            print(f"{key}: {lag * 1000:+.0f} ms")
    features = []
    for film in tqdm(films, disable=None):
        # Tests are measured with the sound as it is.
        lag = lags.get(lag_key(film), 0.0) if film.use == "train" and film.person != "s1" else 0.0
        features.append(heard(film, encoder, float(np.clip(lag, -MAX_SHIFT, MAX_SHIFT))))
    with atomic_path(args.out) as temporary:
        np.savez(
            temporary,
            heard=np.concatenate([feature for feature, _ in features]),
            mel=np.concatenate([mel for _, mel in features]),
            frames=np.array([len(mel) for _, mel in features]),
            lag_of=np.array(list(lags)),
            lags=np.array(list(lags.values())),
        )


def load_heard(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is heard of each film, see `heard`."""
    with np.load(path) as stored:
        ends = np.cumsum(stored["frames"])[:-1]
        return list(zip(np.split(stored["heard"], ends), np.split(stored["mel"], ends), strict=True))


if __name__ == "__main__":
    main()
