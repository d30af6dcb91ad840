"""Make the shipped mouth: `python -m recipes.mouth.paint --people RUN/people.safetensors --data mouths.npz --upper frl064 --out FILE`.

The upper teeth are of a person who smiles in a sharp photograph, the lower ones are made of them (`rows`). The soft layers
learn a mixture of the films' mean and a painting (`painted`), from lips of the films that are opened to all sizes.

Shape legend: B lips, H x W a patch.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from emo_core.portrait.mouth_geometry import lip_mask
from emo_core.portrait.mouth_interior import MouthInterior, load_mouth, save_mouth
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .painted import films_share, jaw_height, opened, painted
from .people import baked, read_people
from .rows import lower_row, upper_row

SCHEDULE = Schedule(rate=2e-3, warm_up=20, decay="cosine", decay_from=0.2, decay_to=0.02)
GROW = 0.035
"""Margin outside the lips that is learned too, in the patch's unit."""
JAW = 2.0
"""Weight of the lower row's place."""
CARD = {
    "license": "CC BY 4.0",
    "attribution": "GRID corpus (Cooke et al. 2006); Face Research Lab London Set (DeBruine & Jones 2017)",
}


@dataclass(frozen=True, slots=True)
class Lips:
    """B lips."""

    lips: Tensor
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Lips":
        """On another device."""
        return moved(self, device)


class PaintTask(Task):
    """Regression of the soft layers."""

    def __init__(self, mouth: MouthInterior, films: MouthInterior, lips: Tensor, batch: int) -> None:
        self._mouth, self._films, self._lips, self._batch = mouth, films, lips, batch
        for fixed in (mouth.upper, mouth.lower, mouth.habits):
            fixed.requires_grad_(False)
        layers = _Layers(mouth)
        optimiser = torch.optim.Adam([each for each in layers.parameters() if each.requires_grad], betas=(0.9, 0.98))
        self.learners = (Learner(network=layers, optimiser=optimiser, schedule=SCHEDULE, ema=0.98, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Lips]:
        return drawn_batches(self._draw, place, consumed)

    def _draw(self, generator: torch.Generator) -> Lips:
        index = torch.randint(len(self._lips), (self._batch,), generator=generator)
        return Lips(opened(self._lips[index], generator))

    def losses(self, batch: Lips, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        layers, jaw = networks[0](batch.lips)
        with torch.no_grad():
            seen, seen_jaw = self._films.layers(batch.lips, self._films.habits.expand(len(batch.lips), -1))
        films, inner = films_share(batch.lips), lip_mask(batch.lips, grow=GROW)
        wanted = torch.lerp(painted(batch.lips), seen, films[:, None, None, None])
        wrong = ((layers - wanted).abs() * inner).sum() / inner.sum() / layers.shape[1]
        yield wrong + JAW * (jaw[:, 1] - torch.lerp(jaw_height(batch.lips), seen_jaw[:, 1], films)).abs().mean()


class _Layers(nn.Module):
    """The soft layers of a mouth of fixed habits."""

    def __init__(self, mouth: MouthInterior) -> None:
        super().__init__()
        self.mouth = mouth

    def forward(self, lips: Tensor) -> tuple[Tensor, Tensor]:
        """As `MouthInterior.layers`."""
        return self.mouth.layers(lips, self.mouth.habits.expand(len(lips), -1))


def main() -> None:
    """Train, and write the mouth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=Path, required=True, help="what `recipes.mouth.train` wrote")
    parser.add_argument("--data", type=Path, required=True, help="the file of `recipes.mouth.gather`")
    parser.add_argument("--upper", default="frl064", help="name of the person whose upper teeth are taken")
    parser.add_argument("--earlier", type=Path, help="a mouth whose soft layers to begin from")
    parser.add_argument("--run", type=Path, help="folder for log and checkpoints")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    people = read_people(args.people)
    person = torch.tensor([people.names.index(args.upper)])
    upper = upper_row(people.person(person).upper[0].detach())
    mouth, films = (baked(people, upper, lower_row(upper)) for _ in range(2))
    if args.earlier:
        taken = ("upper", "lower", "habits")
        weights = {name: value for name, value in load_mouth(args.earlier).state_dict().items() if name not in taken}
        mouth.load_state_dict(weights, strict=False)
    with np.load(args.data) as arrays:
        lips = torch.from_numpy(arrays["lips"]).float()
    settings = Settings(batch=args.batch, log_every=50, save_every=200, cpu=True)
    task = PaintTask(mouth, films, lips, args.batch)
    train(task, settings, Limits(minutes=args.minutes), args.run, report=print)
    save_mouth(mouth, args.out, CARD)


if __name__ == "__main__":
    main()
