"""Small tasks for the loop's tests: a linear regression with dropout, and a GAN of points. Each runs as a command, too."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from emo_core.training.batches import Place, moved
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

QUICK = {"batch": 4, "log_every": 1, "save_every": 4}
NAN = float("nan")


@dataclass(frozen=True)
class Points:
    keys: tuple[str, ...]
    inputs: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "Points":
        return moved(self, device)


class ToyTask(Task):
    """Draws every sample by its number, so that two processes draw what one does; `poisoned` is a sample that is NaN."""

    def __init__(self, batch: int, poisoned: int = -1) -> None:
        self.batch, self.poisoned, self.validated = batch, poisoned, []

    def batches(self, place: Place, consumed: int) -> Iterator[Points]:
        while True:
            first = (consumed * place.processes + place.rank) * self.batch
            yield self.points(range(first, first + self.batch))
            consumed += 1

    def points(self, numbers: range) -> Points:
        samples = [torch.randn(3, generator=torch.Generator().manual_seed(number)) for number in numbers]
        inputs = torch.stack(samples)
        targets = inputs.sum(1)
        targets[[number == self.poisoned for number in numbers]] = NAN
        return Points(tuple(f"sample{number}" for number in numbers), inputs, targets)

    def validate(self, step, log):
        self.validated.append([learner.network.training for learner in self.learners])
        log.write(step, validated=step)

    def save(self, folder, weights):
        torch.save(weights, folder / "extra.pt")


class Regression(ToyTask):
    def __init__(self, batch: int = 4, poisoned: int = -1, dropout: float = 0.0) -> None:
        super().__init__(batch, poisoned)
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(dropout), nn.Linear(8, 1))
        if not dropout:
            self.net[1] = nn.Tanh()
        self.learners = (
            Learner(
                network=self.net,
                optimiser=torch.optim.AdamW(self.net.parameters()),
                schedule=Schedule(rate=0.02, warm_up=3, decay="cosine", decay_from=0.0),
                ema=0.9,
                clip=1.0,
            ),
        )

    def losses(self, batch, networks, share):
        yield (networks[0](batch.inputs)[:, 0] - batch.targets).square()


class Gan(ToyTask):
    """The generator moves its inputs; the discriminator wants the targets as a second coordinate."""

    def __init__(self, batch: int = 4, poisoned: int = -1, poisoned_learner: str = "discriminator") -> None:
        super().__init__(batch, poisoned)
        torch.manual_seed(0)
        self.poisoned_learner = poisoned_learner
        self.generator, self.discriminator = nn.Linear(3, 1), nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.learners = (
            self.learner("discriminator", self.discriminator, None),
            self.learner("generator", self.generator, 0.9),
        )

    def learner(self, name: str, network: nn.Module, ema: float | None) -> Learner:
        optimiser = torch.optim.Adam(network.parameters(), betas=(0.5, 0.9))
        return Learner(network=network, optimiser=optimiser, schedule=Schedule(rate=0.01), ema=ema, name=name)

    def losses(self, batch, networks, share):
        discriminator, generator = networks
        generated = torch.cat([batch.inputs, generator(batch.inputs)], 1)
        bad = batch.targets.isnan()
        poison = {self.poisoned_learner: torch.where(bad, NAN, 0.0)}
        real = torch.cat([batch.inputs, batch.targets.nan_to_num()[:, None]], 1)
        ratings = discriminator(torch.cat([real, generated.detach()])).chunk(2)
        yield ((1 - ratings[0]).relu() + (1 + ratings[1]).relu())[:, 0] + poison.get("discriminator", 0.0)
        yield -self.discriminator(generated)[:, 0] + poison.get("generator", 0.0)


TASKS = {"regression": Regression, "gan": Gan}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--batch", type=int, default=4)
    args = parser.parse_args()
    settings = Settings(**QUICK | {"batch": args.batch})
    train(TASKS[args.task](args.batch), settings, Limits(steps=args.steps, minutes=args.minutes), args.out)


if __name__ == "__main__":
    main()
