"""The network with a pair of rows of teeth and habits for every person it learns from, and colours for every film.

Shape legend: P persons, S sources, B patches.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from emo_core.fields import read_fields
from emo_core.files import atomic_path
from emo_core.portrait.mouth_geometry import HEIGHT, WIDTH
from emo_core.portrait.mouth_interior import ROWS, Mouth, MouthConfig, MouthInterior

REACH = 0.08
"""Farthest that a row of teeth is nudged in a frame, in the patch's unit."""
KEPT = 0.8
"""Share of frames in which the finder is heard: the others teach the network to place the teeth by the lips alone."""


SMILES = "frl"
"""Begins the names of people of whom only smiles are known: these show no lower teeth to learn."""


class Finder(nn.Module):
    """Sees a true patch and says what its lips do not. Of training only.

    It gives how far the teeth are from their place, as landmarks tremble, and the frame's mood: whether the jaw is nearer
    or the tongue higher than usual with such lips. Without it the network would draw the mean of them all, a grey band.
    """

    def __init__(self, mood: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(2, 12, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(12, 24, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(24, 24, 3, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(24 * (-(-HEIGHT // 16)) * (WIDTH // 16), 4 + mood),
        )
        nn.init.zeros_(self.net[-1].weight)

    def forward(self, patches: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) over the skin's brightness, and (B, 1, H, W), to (B, 4 + mood)."""
        found = self.net(torch.cat([patches.mean(1, keepdim=True) * mask, mask], dim=1)).tanh()
        return torch.cat([found[:, :4] * REACH, found[:, 4:]], dim=1)


class People(nn.Module):
    """Everything that is learned."""

    def __init__(self, config: MouthConfig, names: tuple[str, ...], colours: Tensor) -> None:
        """Persons' names, and `colours` (S, 2, 3): flesh and white of every source over its skin's brightness."""
        super().__init__()
        self.mouth = MouthInterior(config)
        persons, self.names = len(names), names
        self.upper = nn.Parameter(torch.zeros(persons, 2, ROWS, WIDTH))
        self.lower = nn.Parameter(torch.zeros(persons, 2, ROWS, WIDTH))
        self.habits = nn.Parameter(torch.zeros(persons, config.habits))
        self.colours = nn.Parameter(colours.clone())
        self.finder = Finder(config.habits)
        smiles = torch.tensor([name.startswith(SMILES) for name in names])
        self.register_buffer("filmed", (~smiles).float()[:, None, None, None], persistent=False)

    def person(self, number: Tensor) -> Mouth:
        """(B,) numbers to their mouths: a difference from everybody's."""
        return Mouth(
            self.mouth.upper + self.upper[number],
            self.mouth.lower + self.lower[number] * self.filmed[number],
            self.mouth.habits + self.habits[number],
        )

    def everybody(self) -> Tensor:
        """(1, habits): the mean of those who were filmed."""
        filmed = self.filmed.flatten()
        return self.mouth.habits + (self.habits * filmed[:, None]).sum(0, keepdim=True) / filmed.sum()

    def forward(self, lips: Tensor, person: Tensor, source: Tensor, found: Tensor) -> Tensor:
        """Patches (B, 3, H, W) over their skin's brightness; `found` (B, 4 + habits) by the finder, or zeros."""
        mouth = self.person(person)
        mouth = Mouth(mouth.upper, mouth.lower, mouth.habits + found[:, 4:])
        greys = self.mouth.draw(lips, mouth, found[:, :4])
        flesh, white = self.colours[source].unbind(1)
        return greys[:, :1] * white[..., None, None] + greys[:, 1:] * flesh[..., None, None]

    def found(self, patches: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
        """(B, 4 + habits) of the finder; zero where not `kept` (B,)."""
        return self.finder(patches, mask) * kept[:, None]

    def strangeness(self, person: Tensor) -> Tensor:
        """How far these persons' mouths are from everybody's, and how rough everybody's teeth are."""
        own = self.upper[person].square().mean() + self.lower[person].square().mean()
        rough = _roughness(self.mouth.upper) + _roughness(self.mouth.lower)
        rough = rough + _roughness(self.upper[person].flatten(0, 1)) + _roughness(self.lower[person].flatten(0, 1))
        return 0.02 * own + 0.02 * rough + 0.01 * self.habits[person].square().mean()


def _roughness(row: Tensor) -> Tensor:
    return row.diff(dim=-1).square().mean() + row.diff(dim=-2).square().mean()


def baked(people: People, upper: Tensor, lower: Tensor) -> MouthInterior:
    """The network of one fixed mouth: rows of teeth (2, ROWS, W), and the habits of everybody who was filmed."""
    mouth = MouthInterior(people.mouth.config)
    mouth.load_state_dict(people.mouth.state_dict())
    with torch.no_grad():
        mouth.upper.copy_(upper)
        mouth.lower.copy_(lower)
        mouth.habits.copy_(people.everybody()[0])
    return mouth.eval()


def begin_from(people: People, earlier: Path) -> None:
    """Take over what an earlier run learned of the same persons."""
    weights = load_file(earlier)
    with safe_open(earlier, "pt") as stored:
        names = json.loads(stored.metadata()["names"])
    own = people.state_dict()
    for name in ("upper", "lower", "habits"):
        for place, person in enumerate(people.names):
            if person in names:
                own[name][place] = weights[name][names.index(person)]
    shared = {name: value for name, value in weights.items() if name.startswith(("mouth.", "finder."))}
    people.load_state_dict({**own, **shared})


def write_people(people: People, path: Path) -> None:
    """Weights of everybody, with their names."""
    weights = {name: value.detach().contiguous() for name, value in people.state_dict().items()}
    metadata = {"config": json.dumps(asdict(people.mouth.config)), "names": json.dumps(people.names)}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, metadata)


def read_people(path: Path) -> People:
    """Read what `write_people` wrote."""
    with safe_open(path, "pt") as stored:
        metadata = stored.metadata()
    weights = load_file(path)
    config = read_fields(MouthConfig, json.loads(metadata["config"]))
    people = People(config, tuple(json.loads(metadata["names"])), weights["colours"])
    people.load_state_dict(weights)
    return people.eval()


def pooled(pictures: Tensor) -> Tensor:
    """At half the size, for films with fewer pixels than the patch."""
    return functional.avg_pool2d(pictures, 2)
