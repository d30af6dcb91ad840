"""The first stage: sound to mouth (EMOTE, arXiv 2306.08990, section 3.3). The transformer's correction learns; closed forms stay.

Shape legend: B samples, F frames, I inputs, K curves of the mouth.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import InputError
from ...training.batches import Place, drawn_batches, moved
from ...training.log import TrainingLog
from ...training.loop import Settings, train
from ...training.schedule import Schedule
from ...training.task import Learner, Task
from ..action_units import MOUTH_COLUMNS
from ..content import ContentModel
from ..weights import EmoteModel
from .draw import FRAMES
from .heard import HeardFilm
from .material import Material, Run
from .space import PointSpace, point_space

BATCH = 24
SHARP = 0.008
"""Gap in heights of the face at which the extra weight of closed lips has fallen to 37 %."""
CLOSED_WEIGHT = 4.0
GAP, VELOCITY, SPREAD, FREE = 300.0, 0.5, 300.0, 0.02
"""Weights of losses: of the lips' gap, of the points' velocity, of the gap's deviation, of the free vectors' size."""
SCHEDULE = Schedule(rate=1.5e-3, warm_up=100, decay="cosine", decay_from=0.0, decay_to=0.02)


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

    def __init__(self, model: ContentModel, films: int) -> None:
        super().__init__()
        self.model, self.free = model, nn.Embedding(films, model.free_width)
        nn.init.zeros_(self.free.weight)

    def forward(self, batch: Windows) -> tuple[Tensor, Tensor]:
        """Coefficients (B, F, K), and free vectors."""
        free = self.free(batch.film)
        return self.model(batch.inputs, self.model.style(batch.style), free).coefficients, free


class ContentTask(Task):
    """The residual through the frozen decoder."""

    def __init__(
        self,
        taught: Taught,
        draw: Callable[[torch.Generator], Windows],
        space: PointSpace,
        check: Callable[[], dict[str, float]],
    ) -> None:
        """`draw` gives training batches; `check` measures the model on films that teach nothing."""
        self._draw, self._space, self._check = draw, space, check
        taught.requires_grad_(True)
        for part in (taught.model.linear, taught.model.squash, taught.model.decoder, taught.model.closing):
            part.requires_grad_(False)
        learned = [p for p in taught.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(learned, weight_decay=0.05)
        self.learners = (Learner(network=taught, optimiser=optimiser, schedule=SCHEDULE, ema=0.99, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Windows]:
        return drawn_batches(self._draw, place, consumed)

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
        log.write(step, **self._check())


def train_content(model: EmoteModel, material: Material, run: Run) -> ContentModel:
    """Teach the content model films of neutral or unlabelled speech.

    Raises:
        InputError: if no film has motion.
    """
    teach, test = (_filmed(films) for films in (material.teach, material.test))
    if not teach:
        raise InputError("emote train: no film shows speech without an emotion; prepare films, not sounds alone")
    curves = [torch.from_numpy(film.motion[:, MOUTH_COLUMNS]) for film in teach]
    space = point_space(model.rig, model.config.curves, torch.cat(curves).numpy())

    def draw(generator: torch.Generator) -> Windows:
        numbers = torch.randint(len(teach), (BATCH,), generator=generator)
        inputs, wanted = [], []
        for number in numbers.tolist():
            start = int(torch.randint(len(teach[number]) - FRAMES + 1, (), generator=generator))
            inputs.append(teach[number].inputs(start, start + FRAMES, model.config))
            wanted.append(curves[number][start : start + FRAMES])
        return Windows(torch.stack(inputs), torch.stack(wanted), numbers, torch.zeros_like(numbers))

    content = model.content
    task = ContentTask(Taught(content, len(teach)), draw, space, lambda: _read(model, test or teach, space))
    settings = Settings(batch=BATCH, log_every=100, validate_every=200, cpu=True, find_unused=True)
    train(task, settings, run.limits, run.folder, resume=run.resume, report=run.report)
    return content.eval().requires_grad_(False)


def _filmed(films: list[HeardFilm]) -> list[HeardFilm]:
    return [film for film in films if film.motion is not None and (film.emotion is None or not film.emotion.any())]


@torch.no_grad()
def _read(model: EmoteModel, films: list[HeardFilm], space: PointSpace) -> dict[str, float]:
    """Median correlation of the lips' gap with the filmed one."""
    found = []
    for film in films:
        patch = model.config.patch
        inputs = film.inputs(0, -(-len(film) // patch) * patch, model.config)
        made = model.content(inputs[None], model.content.style.weight[:1]).coefficients[0, : len(film)].clamp(0, 1)
        true = space.gap(torch.from_numpy(film.motion[:, MOUTH_COLUMNS])).numpy()
        if true.std() > 0:
            found.append(np.corrcoef(space.gap(made).numpy(), true)[0, 1])
    return {"gap_r": round(float(np.median(found)), 3)}
