"""Train sound to mouth: `python -m recipes.emote_mini.content --films films.npz --heard heard.npz --prior prior.safetensors --out content.safetensors`.

1. Ridge regression gives coefficients from windows of features; least squares give the prior's latents from those. Both are closed forms.
2. The residual transformer, whose last layer starts at zero, learns through the frozen decoder what the linear path lacks.

Shape legend: B samples, F frames, I inputs, K curves, N patches.
"""

import argparse
import json
from collections.abc import Iterator
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
from emo_core.emote.training.prior import MotionPrior
from emo_core.emote.training.space import PointSpace, point_space
from emo_core.face.rig import load_rig
from emo_core.files import atomic_path
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.log import TrainingLog
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .gather import Film, load
from .hearing import WINDOW, load_heard, ridge, windows
from .prior import load_prior, shares

FRAMES = 64
BATCH = 24
RIDGE = 3000.0
LATENT_RIDGE = 30.0
ROWS = 30_000
"""Frames that the closed forms read, at most."""
SHARP = 0.008
"""Gap in heights of the face at which the extra weight of closed lips has fallen to 37 %."""
CLOSED_WEIGHT = 4.0
GAP, VELOCITY, SPREAD, FREE = 300.0, 0.5, 300.0, 0.02
"""Weights of losses: of the lips' gap, of the points' velocity, of the gap's deviation, of the free vectors' size."""
AVERAGE = 0.4
"""Share of samples whose person is hidden: they teach the average style."""
SCHEDULE = Schedule(rate=1.5e-3, warm_up=100, decay="cosine", decay_from=0.0, decay_to=0.02)


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


@dataclass(frozen=True, slots=True)
class Windows:
    """A batch."""

    inputs: Tensor
    """(B, F, I)"""
    curves: Tensor
    """(B, F, K)"""
    film: Tensor
    """(B,)"""
    style: Tensor
    """(B,) 0 for average."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Windows":
        """On another device."""
        return moved(self, device)


class Taught(nn.Module):
    """The model with a free vector for each training film, which holds the part of a film that its sound does not tell."""

    def __init__(self, model: ContentModel, films: int, config: EmoteConfig) -> None:
        super().__init__()
        self.model, self.free = model, nn.Embedding(films, config.free_width)
        nn.init.zeros_(self.free.weight)

    def forward(self, batch: Windows) -> tuple[Tensor, Tensor]:
        """Coefficients (B, F, K), and free vectors."""
        free = self.free(batch.film)
        return self.model(batch.inputs, self.model.style(batch.style), free).coefficients, free


class ContentTask(Task):
    """The residual through the frozen decoder."""

    def __init__(self, taught: Taught, heard: Heard, space: PointSpace, config: EmoteConfig) -> None:
        self._taught, self._space, self._config = taught, space, config
        long = [i for i, curves in enumerate(heard.of("train").curves) if len(curves) >= FRAMES]
        self._train = Heard(*([column[i] for i in long] for column in
                              (heard.of("train").films, heard.of("train").features, heard.of("train").curves)))  # fmt: skip
        self._tests = {use: heard.of(use) for use in ("s1", "strangers", "free", "research")}
        self._share = torch.from_numpy(shares(self._train.films))
        frozen = (taught.model.linear, taught.model.squash, taught.model.decoder, taught.model.closing)
        for part in frozen:
            part.requires_grad_(False)
        learned = [p for p in taught.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(learned, weight_decay=0.05)
        self.learners = (Learner(network=taught, optimiser=optimiser, schedule=SCHEDULE, ema=0.99, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Windows]:
        return drawn_batches(self._draw, place, consumed)

    def _draw(self, generator: torch.Generator) -> Windows:
        film = torch.multinomial(self._share, BATCH, replacement=True, generator=generator)
        inputs, curves, styles = [], [], []
        for number in film.tolist():
            own = self._train.curves[number]
            start = int(torch.randint(len(own) - FRAMES + 1, (), generator=generator))
            inputs.append(torch.from_numpy(windows(self._train.features[number], start, start + FRAMES)))
            curves.append(own[start : start + FRAMES])
            hidden = torch.rand((), generator=generator) < AVERAGE
            person = self._train.films[number].person
            known = person in self._config.styles and not hidden
            styles.append(self._config.styles.index(person) if known else 0)
        return Windows(torch.stack(inputs), torch.stack(curves), film, torch.tensor(styles))

    def losses(self, batch: Windows, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        made, free = networks[0](batch)
        space = self._space
        difference = made - batch.curves
        gap, true = space.gap(made), space.gap(batch.curves)
        weight = 1 + CLOSED_WEIGHT * torch.exp(-true.clamp(min=0) / SHARP)
        yield (
            space.distance(difference).mean()
            + VELOCITY * space.distance(difference.diff(dim=1)).mean()
            + GAP * (weight * (gap - true).square()).mean()
            + SPREAD * (gap.std(1) - true.std(1)).square().mean()
            + FREE * free.square().mean()
        )

    def validate(self, step: int, log: TrainingLog) -> None:
        log.write(step, **check(self._taught.model, self._tests, self._space))


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
        taught = Taught(model, len(train_part.films), config)
        settings = Settings(batch=BATCH, log_every=100, validate_every=200, cpu=True, find_unused=True)
        train(ContentTask(taught, heard, space, config), settings, Limits(minutes=args.minutes), None, report=print)
        save_content(model, config, args.out)


if __name__ == "__main__":
    main()
