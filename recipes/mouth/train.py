"""Train the inside of the mouth: `python -m recipes.mouth.train --data mouths.npz --run RUN --minutes 25`.

The result lies in RUN/people.safetensors: everybody's mouth. `recipes.mouth.paint` makes the shipped file of it.

Shape legend: N patches, B a batch, H x W a patch, S sources.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from emo_core.portrait.mouth_colours import LUMA
from emo_core.portrait.mouth_geometry import INNER, lip_mask, lip_polygons
from emo_core.portrait.mouth_interior import MouthConfig
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.checkpoints import checkpoints
from emo_core.training.log import TrainingLog
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .people import KEPT, SMILES, People, begin_from, pooled, write_people

SCHEDULE = Schedule(rate=2e-3, warm_up=20, decay="cosine", decay_from=0.3, decay_to=0.02)
SHARES = {"s4": 0.35, "s1": 0.2, SMILES: 0.15}
"""Share of a batch per person, or of the photographs; the rest is the other speakers'."""
CLOSED_SHARE, OPEN_SHARE = 0.3, 4.0
"""How often a closed mouth is drawn, and how much more often per gap: wide mouths are rare in films."""
GROW, EDGE_WEIGHT = 0.035, 0.4
"""Margin outside the lips that is learned too, in the patch's unit, and its weight."""
SMILE_MARGIN = 0.012
"""Of photographs nothing is learned so near to the lips: a single picture would put its lips' edge into the teeth."""
GRADIENT = 1.5
"""Weight of the error of the differences between neighbouring pixels."""
NUDGE, MOOD, COLOUR = 2.0, 0.004, 0.05
"""Weights of the squares of nudges and moods, and of how far colours are from those that were measured."""
FINE, BLOCK = 3.0, 7
"""Weight of the error of the amount of fine detail, and the pixels over which it is measured."""
TEETH_RATE = 8.0
"""Learning rate of pictures of teeth over the network's."""


@dataclass(frozen=True, slots=True)
class Patches:
    """The arrays of `gather`."""

    patches: Tensor
    """(N, H, W, 3) uint8"""
    lips: Tensor
    """(N, DESCRIPTOR)"""
    source: Tensor
    """(N,)"""
    person: Tensor
    """(N,)"""
    sharp: Tensor
    """(S,)"""
    skin: Tensor
    """(S,) brightness"""
    share: Tensor
    """(N,) how often a patch is drawn"""
    colours: Tensor
    """(S, 2, 3) flesh and white over the skin's brightness"""
    names: tuple[str, ...]
    """Of the persons."""

    @classmethod
    def open(cls, path: Path) -> "Patches":
        """Read what `gather` wrote."""
        with np.load(path) as arrays:
            held = {name: arrays[name] for name in arrays.files}
        names, person = np.unique(held["persons"], return_inverse=True)
        colours = torch.from_numpy(held["colours"]).unflatten(1, (3, 3))
        skin = (colours[:, 0] * torch.tensor(LUMA)).sum(1)
        source = torch.from_numpy(held["source"])
        person = torch.from_numpy(person)[source]
        groups = np.array([SMILES if name.startswith(SMILES) else name for name in names])
        group = groups[person.numpy()]
        lips = torch.from_numpy(held["lips"]).float()
        gaps = (lip_polygons(lips)[:, INNER.index(14), 1] - lip_polygons(lips)[:, INNER.index(13), 1]).numpy()
        share, opened = np.zeros(len(group)), CLOSED_SHARE + OPEN_SHARE * gaps.clip(0, 0.5)
        rest = (1 - sum(SHARES.values())) / max(1, len(set(groups) - set(SHARES)))
        for name in np.unique(group):
            own = group == name
            share[own] = SHARES.get(name, rest) * opened[own] / opened[own].sum()
        return cls(
            torch.from_numpy(held["patches"]),
            lips,
            source,
            person,
            torch.from_numpy(held["sharp"]),
            skin,
            torch.from_numpy(share),
            colours[:, 1:] / skin[:, None, None],
            tuple(names.tolist()),
        )

    def batch(self, count: int, generator: torch.Generator) -> "MouthBatch":
        """Random patches over their skin's brightness."""
        index = torch.multinomial(self.share, count, replacement=True, generator=generator)
        return self.at(index, torch.rand(count, generator=generator) < KEPT)

    def at(self, index: Tensor, kept: Tensor) -> "MouthBatch":
        """Chosen patches."""
        source = self.source[index]
        patches = self.patches[index].permute(0, 3, 1, 2).float() / 255 / self.skin[source][:, None, None, None]
        return MouthBatch(patches, self.lips[index], source, self.person[index], self.sharp[source], kept)


@dataclass(frozen=True, slots=True)
class MouthBatch:
    """B samples."""

    patches: Tensor
    lips: Tensor
    source: Tensor
    person: Tensor
    sharp: Tensor
    kept: Tensor
    """(B,) whether the finder may nudge."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "MouthBatch":
        """On another device."""
        return moved(self, device)


def picture_loss(drawn: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """L1 of the pixels and of their differences, over the summed weight (B, 1, H, W)."""
    wrong = (drawn - true) * weight
    across = (wrong.diff(dim=-1)).abs().sum()
    down = (wrong.diff(dim=-2)).abs().sum()
    fine = 3 * ((_fine(drawn, weight) - _fine(true, weight)).abs()).sum() * FINE
    return (wrong.abs().sum() + GRADIENT * (across + down) + fine) / (3 * weight.sum()).clamp(min=1)


def _fine(pictures: Tensor, weight: Tensor) -> Tensor:
    """How much fine detail is around each pixel, wherever it lies exactly: (B, 1, H, W)."""
    grey = pictures.mean(1, keepdim=True)
    detail = (grey - functional.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)).abs() * weight
    return functional.avg_pool2d(detail, BLOCK, 1, BLOCK // 2)


class MouthTask(Task):
    """Regression of patches inside the lips."""

    def __init__(self, people: People, patches: Patches, batch: int) -> None:
        self._people, self._patches, self._batch = people, patches, batch
        teeth = [people.mouth.upper, people.mouth.lower, people.upper, people.lower]
        known = {id(value) for value in teeth}
        others = [value for value in people.parameters() if id(value) not in known]
        optimiser = torch.optim.Adam([{"params": others}, {"params": teeth, "factor": TEETH_RATE}], betas=(0.9, 0.98))
        self.learners = (Learner(network=people, optimiser=optimiser, schedule=SCHEDULE, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[MouthBatch]:
        return drawn_batches(lambda generator: self._patches.batch(self._batch, generator), place, consumed)

    def losses(self, batch: MouthBatch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        people = self._people
        inside = lip_mask(batch.lips)
        weight = EDGE_WEIGHT * lip_mask(batch.lips, grow=GROW) + (1 - EDGE_WEIGHT) * inside
        weight = torch.where(people.filmed[batch.person] > 0, weight, lip_mask(batch.lips, grow=-SMILE_MARGIN))
        found = people.found(batch.patches, inside, batch.kept)
        drawn = networks[0](batch.lips, batch.person, batch.source, found)
        loss = drawn.new_zeros(())
        for chosen, seen in ((batch.sharp, nn.Identity()), (~batch.sharp, pooled)):
            if chosen.any():
                part = picture_loss(seen(drawn[chosen]), seen(batch.patches[chosen]), seen(weight[chosen]))
                loss = loss + part * chosen.float().mean()
        wander = (people.colours[batch.source] - self._patches.colours[batch.source]).square().mean()
        loss = loss + NUDGE * found[:, :4].square().mean() + MOOD * found[:, 4:].square().mean()
        yield loss + COLOUR * wander + people.strangeness(batch.person)

    def validate(self, step: int, log: TrainingLog) -> None:
        batch = self._patches.batch(64, torch.Generator().manual_seed(7))
        inside = lip_mask(batch.lips)
        drawn = self._people(
            batch.lips, batch.person, batch.source, batch.lips.new_zeros(64, 4 + self._people.mouth.config.habits)
        )
        error = ((drawn - batch.patches).abs() * inside).sum() / (3 * inside.sum())
        log.write(step, inside_error=float(error))


def main() -> None:
    """Train, and write everybody's mouths."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the file of `recipes.mouth.gather`")
    parser.add_argument(
        "--run", type=Path, required=True, help="folder for log and checkpoints; a stopped run continues"
    )
    parser.add_argument("--earlier", type=Path, help="people.safetensors of another run to begin from")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    torch.manual_seed(0)
    patches = Patches.open(args.data)
    people = People(MouthConfig(), patches.names, patches.colours)
    if args.earlier:
        begin_from(people, args.earlier)
    settings = Settings(batch=args.batch, log_every=50, save_every=200, validate_every=200, cpu=True)
    resume = bool(checkpoints(args.run))
    task = MouthTask(people, patches, args.batch)
    train(task, settings, Limits(minutes=args.minutes), args.run, resume=resume, report=print)
    write_people(people, args.run / "people.safetensors")


if __name__ == "__main__":
    main()
