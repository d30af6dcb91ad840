"""Train sound to mouth: `python -m recipes.emote_mini.content --films films.npz --heard heard.npz --prior prior.safetensors --out content.safetensors`.

1. Ridge regression gives coefficients from windows of features; least squares give the prior's latents from those. Both are closed forms.
2. The residual transformer, whose last layer starts at zero, learns through the frozen decoder what the linear path lacks.

Shape legend: B samples, F frames, I inputs, K curves, N patches.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emo_core.audio.config import AudioFeaturesConfig
from emo_core.emote.config import EmoteConfig
from emo_core.emote.content import ContentModel
from emo_core.emote.training.content import BATCH, FRAMES, ContentTask, Taught, Windows
from emo_core.emote.training.prior import MotionPrior
from emo_core.emote.training.space import PointSpace, point_space
from emo_core.face.rig import load_rig
from emo_core.files import atomic_path
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits

from .gather import Film, load
from .hearing import WINDOW, load_heard, ridge, windows
from .prior import load_prior, shares

RIDGE = 3000.0
LATENT_RIDGE = 30.0
ROWS = 30_000
"""Frames that the closed forms read, at most."""
AVERAGE = 0.4
"""Share of samples whose person is hidden: they teach the average style."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Films with their features."""

    films: list[Film]
    features: list[tuple[np.ndarray, np.ndarray]]
    """See `hearing.heard`."""
    curves: list[Tensor]
    """(F, K) each."""

    def of(self, *uses: str) -> "Heard":
        """Those of some uses."""
        chosen = [i for i, film in enumerate(self.films) if film.use in uses]
        return Heard(*([column[i] for i in chosen] for column in (self.films, self.features, self.curves)))


def read(films: list[Path], heard: list[Path], config: EmoteConfig) -> Heard:
    """Films, and what the encoder heard, of one or more files of each."""
    found = [film for path in films for film in load(path)]
    return Heard(
        found,
        [part for path in heard for part in load_heard(path)],
        [torch.from_numpy(film.motion.curves(config.curves)) for film in found],
    )


def fit_linear(model: ContentModel, heard: Heard, prior: MotionPrior, config: EmoteConfig) -> None:
    """The closed forms."""
    share = shares(heard.films)
    step = max(1, round(sum(len(film.motion) for film in heard.films) / ROWS))
    people = [film.person for film in heard.films]
    chosen = [i for i, person in enumerate(people) if people.count(person) < 100 or i % (step + 1) == 0]
    inputs = np.concatenate([windows(heard.features[i]) for i in chosen])
    mean, scale = inputs.mean(0), 1 / (inputs.std(0) + 1e-3)
    inputs -= mean
    inputs *= scale
    totals = {person: sum(share[i] for i in chosen if people[i] == person) for person in set(people)}
    wanted = {person: sum(share[i] for i in range(len(people)) if people[i] == person) for person in set(people)}
    per_frame = [share[i] * wanted[people[i]] / totals[people[i]] / len(heard.curves[i]) for i in chosen]
    weights = np.repeat(per_frame, [len(heard.curves[i]) for i in chosen]).astype(np.float32)
    weights *= len(weights) / weights.sum()
    targets = np.concatenate([heard.curves[i].numpy() for i in chosen])
    solution, centre = ridge(inputs, targets, weights, RIDGE)
    _set(model.linear, solution.T, centre)
    model.mean.copy_(torch.from_numpy(mean))
    model.scale.copy_(torch.from_numpy(scale))
    made = np.split(inputs @ solution + centre, np.cumsum([len(heard.curves[i]) for i in chosen])[:-1])
    latents, patches, rows = [], [], []
    for number, coarse in zip(chosen, made, strict=True):
        frames = len(coarse) // config.patch * config.patch
        latents.append(prior.encoder(heard.curves[number][None, :frames])[0][0].numpy())
        reach = config.patch // 2
        padded = np.pad(coarse[:frames], ((reach, reach), (0, 0)))
        index = np.arange(0, frames, config.patch)[:, None] + np.arange(2 * config.patch)
        patches.append(rearrange(padded[index], "n p k -> n (k p)"))
        rows.append(np.full(len(index), share[number]))
    patches, latents, rows = (np.concatenate(part) for part in (patches, latents, rows))
    rows = (rows * len(rows) / rows.sum()).astype(np.float32)
    offset, spread = patches.mean(0), patches.std(0) + 1e-3
    solution, centre = ridge((patches - offset) / spread, latents, rows, LATENT_RIDGE)
    solution = solution / spread[:, None]
    _set(model.squash, rearrange(solution, "(k p) z -> z k p", p=2 * config.patch), centre - offset @ solution)


def _set(layer: nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
    layer.weight.data.copy_(torch.from_numpy(np.ascontiguousarray(weight, np.float32)))
    layer.bias.data.copy_(torch.from_numpy(np.asarray(bias, np.float32)))


class _Draw:
    """Windows of the training films, drawn by their shares."""

    def __init__(self, heard: Heard, config: EmoteConfig) -> None:
        long = [i for i, film in enumerate(heard.films) if film.use == "train" and len(film.motion) >= FRAMES]
        self._films = [(heard.films[i].person, heard.features[i], heard.curves[i]) for i in long]
        self._share, self._config = torch.from_numpy(shares([heard.films[i] for i in long])), config

    def __len__(self) -> int:
        return len(self._films)

    def __call__(self, generator: torch.Generator) -> Windows:
        film = torch.multinomial(self._share, BATCH, replacement=True, generator=generator)
        inputs, curves, styles = [], [], []
        for number in film.tolist():
            person, features, own = self._films[number]
            start = int(torch.randint(len(own) - FRAMES + 1, (), generator=generator))
            inputs.append(torch.from_numpy(windows(features, start, start + FRAMES)))
            curves.append(own[start : start + FRAMES])
            hidden = torch.rand((), generator=generator) < AVERAGE
            known = person in self._config.styles and not hidden
            styles.append(self._config.styles.index(person) if known else 0)
        return Windows(torch.stack(inputs), torch.stack(curves), film, torch.tensor(styles))


@torch.no_grad()
def check(model: ContentModel, tests: dict[str, Heard], space: PointSpace) -> dict[str, float]:
    """Correlation of the lips' gap, and its spread, medians over the films of each test."""
    model.eval()
    numbers = {}
    for use, heard in tests.items():
        rows = []
        for film, features in zip(heard.films, heard.features, strict=True):
            gap = space.gap(mouth_of(model, features).clamp(0, 1)).numpy()
            rows.append((np.corrcoef(gap, film.gap)[0, 1], gap.std() / film.gap.std()))
        numbers[f"{use}_r"], numbers[f"{use}_spread"] = (round(float(x), 3) for x in np.median(rows, axis=0))
    return numbers


@torch.no_grad()
def mouth_of(model: ContentModel, features: tuple[np.ndarray, np.ndarray], style: int = 0) -> Tensor:
    """What is heard of a film to its coefficients (F, K)."""
    patch = model.decoder.patch
    count = len(features[0])
    inputs = torch.from_numpy(windows(features, 0, -(-count // patch) * patch))
    made = model(inputs[None], model.style.weight[style][None]).coefficients[0]
    return made[:count]


def save_content(model: ContentModel, config: EmoteConfig, path: Path) -> None:
    """Write the model with its config."""
    weights = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, {"config": config.to_json()})


def load_content(path: Path) -> tuple[ContentModel, EmoteConfig]:
    """What `save_content` wrote."""
    with safe_open(path, "pt") as stored:
        config = EmoteConfig.from_json(stored.metadata()["config"])
    model = ContentModel(config)
    model.load_state_dict(load_file(path))
    return model.eval(), config


def main() -> None:
    """Fit, train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="of `gather`, and of `voices`")
    parser.add_argument("--heard", type=Path, nargs="+", required=True, help="of `hearing`, one for each of them")
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=3, help="of the residual; 0 for the closed forms only")
    parser.add_argument("--dropout", type=float, default=0.5)
    args = parser.parse_args()
    torch.manual_seed(0)
    weights = load_file(args.prior)
    latent, patches = weights["encoder.linear.weight"].shape
    config = EmoteConfig(latent=latent, patch=patches // len(EmoteConfig().curves))
    heard = read(args.films, args.heard, config)
    layers, width = heard.features[0][0].shape[1:]
    people = sorted({film.person for film in heard.films if film.use == "train"})
    config = replace(
        config, audio=AudioFeaturesConfig(layers=layers, width=width, window=WINDOW), styles=("average", *people)
    )
    prior = load_prior(args.prior, config)
    model = ContentModel(config, dropout=args.dropout)
    model.decoder.load_state_dict(prior.decoder.state_dict())
    train_part = heard.of("train")
    space = point_space(load_rig(), config.curves, torch.cat(train_part.curves).numpy())
    fit_linear(model, train_part, prior, config)
    tests = {use: heard.of(use) for use in ("s1", "strangers", "free", "research")}
    print("closed forms:", json.dumps(check(model, tests, space)))
    save_content(model, config, args.out)
    if args.minutes > 0:
        draw = _Draw(heard, config)
        task = ContentTask(Taught(model, len(draw)), draw, space, lambda: check(model, tests, space))
        settings = Settings(batch=BATCH, log_every=100, validate_every=200, cpu=True, find_unused=True)
        train(task, settings, Limits(minutes=args.minutes), None, report=print)
        save_content(model, config, args.out)


if __name__ == "__main__":
    main()
