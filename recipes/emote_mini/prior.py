"""Train the prior of speech: `python -m recipes.emote_mini.prior --films films.npz --out prior.safetensors --minutes 5`.

Shape legend: F frames, K curves.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from emo_core.emote.config import EmoteConfig
from emo_core.emote.training.prior import BATCH, FRAMES, MotionPrior, PriorTask, start_linear
from emo_core.emote.training.space import point_space
from emo_core.face.rig import load_rig
from emo_core.files import atomic_path
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits

from .gather import Film, load

FREE = 2.0
"""How much more often free speech is drawn, of which there is little."""


def shares(films: list[Film]) -> np.ndarray:
    """How often each film is drawn: a person's films together by the square root of their length, free speech more often."""
    people = np.array([film.person for film in films])
    length = np.array([len(film.motion) for film in films], float)
    totals = {person: length[people == person].sum() for person in set(people)}
    share = length / np.sqrt([totals[person] for person in people])
    share = share * np.where([film.name.startswith("us_gov/") for film in films], FREE, 1.0)
    return share / share.sum()


def drawn(motions: list[Tensor], share: Tensor, generator: torch.Generator) -> Tensor:
    """(BATCH, FRAMES, K) windows of films that are drawn by their shares."""
    rows = []
    for number in torch.multinomial(share, BATCH, replacement=True, generator=generator).tolist():
        start = int(torch.randint(len(motions[number]) - FRAMES + 1, (), generator=generator))
        rows.append(motions[number][start : start + FRAMES])
    return torch.stack(rows)


def load_prior(path: Path, config: EmoteConfig) -> MotionPrior:
    """What this script wrote."""
    prior = MotionPrior(config, count=len(config.curves), latent=config.latent)
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
    space = point_space(load_rig(), config.curves, np.concatenate(curves))
    prior = MotionPrior(config, count=len(config.curves), latent=config.latent)
    print(f"{config.latent} components hold {start_linear(prior, curves, space):.4f}")
    motions = {
        use: [
            torch.from_numpy(film.motion.curves(config.curves))
            for film in films
            if film.use == use and len(film.motion) >= FRAMES
        ]
        for use in ("train", "s1", "strangers", "free")
    }
    share = torch.from_numpy(shares([film for film in films if film.use == "train" and len(film.motion) >= FRAMES]))
    task = PriorTask(
        prior,
        lambda generator: drawn(motions["train"], share, generator),
        space,
        {use: motions[use] for use in ("s1", "strangers", "free")},
    )
    settings = Settings(batch=BATCH, log_every=200, validate_every=400, cpu=True)
    train(task, settings, Limits(minutes=args.minutes), None, report=print)
    with atomic_path(args.out) as temporary:
        save_file({name: value.contiguous() for name, value in prior.state_dict().items()}, temporary)


if __name__ == "__main__":
    main()
