"""How well a ridge on features of a sound reads the lips: `python -m recipes.emote_mini.hear_measure --encoders a.safetensors`.

The ridge is fitted to the films that teach, and read on people and clips that do not. Numbers: the correlation of the read
and the filmed opening of the lips, the median over clips; the same for the reading of another sound (the next clip's; for
single clips, its own, rolled by half); both for smoothed curves; the spread of the reading over the filmed one.

Shape legend: F frames, W frames of a window, D numbers of a frame.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emo_core.audio.features import AudioFeatures, at_frames, window_indices
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.media.sound import SAMPLE_RATE, Sound
from recipes.emo_mini.audio import load_audio_encoder

from .films import Film, read_films
from .spectrum import log_mel

ROLES = ("s1", "strangers", "free", "research")
CHOICE = ("s5", "obama")
"""People that a second ridge is not fitted to: they choose the penalty and the window."""
FEW = 3
"""Clips up to which the other sound is the clip's own, rolled by half."""
LAG = 2
"""Frames by which a reading may be late or early in `r_lagged`."""
EACH = 60
"""Clips of a person that a ridge is fitted to, at most."""
Hearing = Callable[[Film], Tensor]
"""The features of a film's frames: (F, D)."""


def encoded(encoder: torch.nn.Module) -> Hearing:
    """All layers of an encoder, computed as they are in use."""

    def hear(film: Film) -> Tensor:
        features = AudioFeatures(Sound(film.sound), encoder, fps=film.fps, window=0)
        return features.frame_features(0, features.frames).flatten(1)

    return hear


def mel(film: Film) -> Tensor:
    """Log-mel."""
    frames = round(len(film.sound) / SAMPLE_RATE * film.fps)
    return at_frames(log_mel(torch.from_numpy(film.sound))[:, None], 0, frames, film.fps)[:, 0]


def both(first: Hearing, second: Hearing) -> Hearing:
    """Two features side by side."""
    return lambda film: torch.cat([first(film), second(film)], dim=1)


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear reading of features in a window, standardised."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    """(W * D, 1)"""
    window: int

    def __call__(self, features: Tensor) -> np.ndarray:
        """(F, D) to (F,)."""
        return (_windows((features - self.mean) / self.scale, self.window) @ self.weight)[:, 0].numpy()


def _windows(features: Tensor, window: int) -> Tensor:
    """(F, D) to (F, W * D + 1), clamped at both ends, with a one."""
    rows = features[window_indices(0, len(features), window, len(features))].flatten(1)
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)


class Fit:
    """Weighted least squares whose penalty is chosen afterwards."""

    def __init__(self, mean: Tensor, scale: Tensor, window: int) -> None:
        self._mean, self._scale, self._window, self._total = mean, scale, window, 0.0
        size = len(mean) * (2 * window + 1) + 1
        self._gram, self._moment = torch.zeros(size, size), torch.zeros(size, 1)

    def add(self, features: Tensor, target: np.ndarray, weight: float) -> None:
        """Learn from frames: (F, D), (F,)."""
        rows = _windows((features - self._mean) / self._scale, self._window)
        self._gram.addmm_(rows.T, rows, alpha=weight)
        self._moment += weight * (rows.T @ torch.from_numpy(target).float()[:, None])
        self._total += weight * len(rows)

    def ridge(self, penalty: float) -> Ridge:
        """With a penalty relative to the sum of the frames' weights."""
        gram = self._gram.clone()
        gram.diagonal()[:-1] += penalty * self._total
        return Ridge(self._mean, self._scale, torch.linalg.solve(gram, self._moment), self._window)


def correlation(a: np.ndarray, b: np.ndarray, smoothed: bool = False) -> float:
    """Of two curves; smoothed by a Hann window of five frames, if wanted."""
    count = min(len(a), len(b))
    a, b = a[:count], b[:count]
    if smoothed:
        kernel = np.hanning(7)[1:-1] / np.hanning(7).sum()
        a, b = np.convolve(a, kernel, "valid"), np.convolve(b, kernel, "valid")
    return float(np.corrcoef(a, b)[0, 1])


@dataclass(frozen=True, slots=True)
class Heard:
    """Films with features of one kind."""

    films: tuple[Film, ...]
    features: tuple[Tensor, ...]

    @classmethod
    def of(cls, films: list[Film], hearing: Hearing) -> "Heard":
        """Compute them."""
        return cls(tuple(films), tuple(hearing(film).float() for film in films))

    def fit(self, window: int, without: frozenset[str] = frozenset()) -> Fit:
        """To the films that teach, except for some people; every person counts by the root of her frames."""
        chosen = [(film, values[: len(film.lips)]) for film, values in zip(self.films, self.features, strict=True)
                  if film.role == "teach" and film.person not in without]  # fmt: skip
        frames: dict[str, int] = {}
        for film, values in chosen:
            frames[film.person] = frames.get(film.person, 0) + len(values)
        every = torch.cat([values for _, values in chosen])
        fitted = Fit(every.mean(0), every.std(0).clamp(min=1e-4), window)
        for film, values in chosen:
            fitted.add(values, film.lips[: len(values), 0], frames[film.person] ** -0.5)
        return fitted

    def numbers(self, ridge: Ridge, chosen: Callable[[Film], bool]) -> dict[str, float]:
        """Medians over the clips that are chosen."""
        read = [(film, ridge(values)) for film, values in zip(self.films, self.features, strict=True) if chosen(film)]
        if len(read) > FEW:
            others = [curve for _, curve in read[1:] + read[:1]]
        else:
            others = [np.roll(curve, len(curve) // 2) for _, curve in read]
        rows = [compared(curve, other, film.lips[:, 0]) for (film, curve), other in zip(read, others, strict=True)]
        return {name: float(np.median([row[name] for row in rows])) for name in rows[0]} | {"clips": len(rows)}


def compared(read: np.ndarray, other: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The numbers of a clip: the reading of its sound and of another, and the filmed opening, by frame."""
    lagged = [correlation(np.roll(read, lag), true) for lag in range(-LAG, LAG + 1)]
    return {
        "r": correlation(read, true),
        "other": correlation(other, true),
        "r_smoothed": correlation(read, true, smoothed=True),
        "other_smoothed": correlation(other, true, smoothed=True),
        "spread": float(read.std() / true.std()),
        "r_lagged": max(lagged),
        "lag": float(np.argmax(lagged) - LAG),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--landmarks", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=Path("models/emo-mini.safetensors"))
    parser.add_argument("--encoders", type=Path, nargs="*", default=())
    parser.add_argument("--windows", type=int, nargs="*", default=(2, 5))
    parser.add_argument("--penalties", type=float, nargs="*", default=(0.01, 0.1, 1.0))
    parser.add_argument("--only-new", action="store_true", help="without log-mel and the checkpoint's encoder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    films = list(read_films(args.data, args.landmarks, EACH))
    hearings: dict[str, Hearing] = {}
    if not args.only_new:
        hearings = {"log-mel": mel, "emo-mini": encoded(load_checkpoint(args.checkpoint).audio_encoder)}
    for file in args.encoders:
        hearings[file.stem] = encoded(load_audio_encoder(file).eval())
        hearings[f"{file.stem} and log-mel"] = both(hearings[file.stem], mel)
    for name, hearing in hearings.items():
        heard = Heard.of(films, hearing)
        for window in args.windows:
            whole, left = heard.fit(window), heard.fit(window, frozenset(CHOICE))
            for penalty in args.penalties:
                print(f"{name}, ±{window}, {penalty:g}:", flush=True)
                for person in CHOICE:
                    numbers = heard.numbers(left.ridge(penalty), lambda film, who=person: film.person == who)
                    print(f"  choice {person}: ", _line(numbers))
                for role in ROLES:
                    numbers = heard.numbers(whole.ridge(penalty), lambda film, part=role: film.role == part)
                    print(f"  {role}: ", _line(numbers), flush=True)


def _line(numbers: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3g}" for name, value in numbers.items())


if __name__ == "__main__":
    main()
