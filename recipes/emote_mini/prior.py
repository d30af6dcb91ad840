"""Train the prior of motion: `python -m recipes.emote_mini.prior --films films.npz --out prior.safetensors --minutes 5`.

Shape legend: B samples, F frames, N patches, K curves.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emo_core.emote.config import EmoteConfig
from emo_core.emote.prior import MotionDecoder, MotionEncoder
from emo_core.face.rig import load_rig
from emo_core.files import atomic_path
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.log import TrainingLog
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .gather import Film, load
from .lips import LipSpace, lip_space

FRAMES = 32
BATCH = 48
FREE = 2.0
"""How much more often free speech is drawn, of which there is little."""
DIVERGENCE = 1e-3
"""Weight of the latents' distance from a unit normal."""
SCHEDULE = Schedule(rate=2e-3, warm_up=50, decay="cosine", decay_from=0.0, decay_to=0.02)


class MotionPrior(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: EmoteConfig) -> None:
        super().__init__()
        self.encoder, self.decoder = MotionEncoder(config), MotionDecoder(config)

    def forward(self, coefficients: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, F, K) and unit noise (B, N, Z) to the reconstruction and the latents' mean and log variance."""
        mean, log_variance = self.encoder(coefficients)
        return self.decoder(mean + noise * (0.5 * log_variance).exp()), mean, log_variance


@dataclass(frozen=True, slots=True)
class Windows:
    """A batch."""

    motion: Tensor
    """(B, F, K)"""
    noise: Tensor
    """(B, N, Z)"""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Windows":
        """On another device."""
        return moved(self, device)


def shares(films: list[Film]) -> np.ndarray:
    """How often each film is drawn: a person's films together by the square root of their length, free speech more often."""
    people = np.array([film.person for film in films])
    length = np.array([len(film.motion) for film in films], float)
    totals = {person: length[people == person].sum() for person in set(people)}
    share = length / np.sqrt([totals[person] for person in people])
    share = share * np.where([film.name.startswith("us_gov/") for film in films], FREE, 1.0)
    return share / share.sum()


def start_linear(prior: MotionPrior, motions: list[np.ndarray], space: LipSpace, config: EmoteConfig) -> None:
    """Set the linear maps to the principal components of patches, in the rig's distance."""
    patches = np.concatenate([m[start : start + config.patch].reshape(1, -1) for m in motions for start in
                              range(0, len(m) - config.patch + 1, 3)])  # fmt: skip
    values, vectors = np.linalg.eigh(np.kron(np.eye(config.patch), space.metric.numpy()))
    root, inverse = (vectors * values**power @ vectors.T for power in (0.5, -0.5))
    mean = patches.mean(0)
    _, sizes, directions = np.linalg.svd((patches - mean) @ root, full_matrices=False)
    sizes = sizes / np.sqrt(len(patches))
    print(
        f"{config.latent} of {len(sizes)} components hold {(sizes[: config.latent] ** 2).sum() / (sizes**2).sum():.4f}"
    )
    directions, sizes = directions[: config.latent], sizes[: config.latent, None]
    encode, decode = directions @ root / sizes, (inverse @ directions.T * sizes.T)
    for layer, weight, bias in ((prior.encoder.linear, encode, -encode @ mean), (prior.decoder.linear, decode, mean)):
        layer.weight.data = torch.from_numpy(weight.astype(np.float32))
        layer.bias.data = torch.from_numpy(bias.astype(np.float32))


class PriorTask(Task):
    """Reconstruction on the rig's points, and the divergence of the latents."""

    def __init__(self, prior: MotionPrior, films: list[Film], space: LipSpace, config: EmoteConfig) -> None:
        self._prior, self._space, self._config = prior, space, config
        self._motions = {use: [torch.from_numpy(f.motion.curves(config.curves)) for f in films if f.use == use and len(f.motion) >= FRAMES] for use in ("train", "s1", "strangers", "free")}  # fmt: skip
        self._share = torch.from_numpy(
            shares([film for film in films if film.use == "train" and len(film.motion) >= FRAMES])
        )
        optimiser = torch.optim.AdamW(prior.parameters(), weight_decay=1e-4)
        self.learners = (Learner(network=prior, optimiser=optimiser, schedule=SCHEDULE, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Windows]:
        return drawn_batches(self._draw, place, consumed)

    def _draw(self, generator: torch.Generator) -> Windows:
        chosen = torch.multinomial(self._share, BATCH, replacement=True, generator=generator)
        rows = []
        for number in chosen.tolist():
            motion = self._motions["train"][number]
            start = int(torch.randint(len(motion) - FRAMES + 1, (), generator=generator))
            rows.append(motion[start : start + FRAMES])
        noise = torch.randn(BATCH, FRAMES // self._config.patch, self._config.latent, generator=generator)
        return Windows(torch.stack(rows), noise)

    def losses(self, batch: Windows, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        made, mean, log_variance = networks[0](batch.motion, batch.noise)
        difference = made - batch.motion
        steps = difference.diff(dim=1)
        gap = self._space.gap(difference).square().mean() * 400
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        yield (
            self._space.distance(difference).mean() + self._space.distance(steps).mean() + gap + DIVERGENCE * divergence
        )

    @torch.no_grad()
    def validate(self, step: int, log: TrainingLog) -> None:
        for use in ("s1", "strangers", "free"):
            log.write(step, **{f"{use}_{name}": value for name, value in self._check(self._motions[use]).items()})

    def _check(self, motions: list[Tensor]) -> dict[str, float]:
        r, kept, error = [], [], []
        for motion in motions:
            motion = motion[: len(motion) // self._config.patch * self._config.patch]
            made = self._prior.decoder(self._prior.encoder(motion[None])[0])[0].clamp(0, 1)
            gaps = [self._space.gap(part).numpy() for part in (motion, made)]
            r.append(np.corrcoef(*gaps)[0, 1])
            shut = gaps[0] < 0.004
            kept.append((gaps[1][shut] < 0.012).mean() if shut.any() else np.nan)
            error.append(float(self._space.distance(made - motion).mean()))
        return {"r": float(np.median(r)), "closed": float(np.nanmean(kept)), "error": float(np.mean(error))}


def load_prior(path: Path, config: EmoteConfig) -> MotionPrior:
    """What this script wrote."""
    prior = MotionPrior(config)
    prior.load_state_dict(load_file(path))
    return prior.eval().requires_grad_(False)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--patch", type=int, default=4)
    parser.add_argument("--latent", type=int, default=48)
    args = parser.parse_args()
    torch.manual_seed(0)
    films, config = load(args.films), EmoteConfig(patch=args.patch, latent=args.latent)
    curves = [film.motion.curves(config.curves) for film in films if film.use == "train"]
    space = lip_space(load_rig(), config.curves, np.concatenate(curves))
    prior = MotionPrior(config)
    start_linear(prior, curves, space, config)
    settings = Settings(batch=BATCH, log_every=200, validate_every=400, cpu=True)
    train(PriorTask(prior, films, space, config), settings, Limits(minutes=args.minutes), None, report=print)
    with atomic_path(args.out) as temporary:
        save_file({name: value.contiguous() for name, value in prior.state_dict().items()}, temporary)


if __name__ == "__main__":
    main()
