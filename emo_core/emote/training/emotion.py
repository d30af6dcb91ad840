"""The second stage: emotion on speech (EMOTE, arXiv 2306.08990, sections 3.3 and 3.4).

Each batch is doubled, and its second half has the emotions and strengths of other windows, exchanged among different emotions only.
Constructed speech has true targets in both halves. An actor's film has one in the first half; in the second its lips must read as its own
sound's, and its face as the emotion that was lent.

Shape legend: B windows, F frames, K coefficients.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...training.batches import Place, drawn_batches, moved
from ...training.log import TrainingLog
from ...training.schedule import Schedule
from ...training.task import Learner, Task
from ..action_units import CURVES, MOUTH_COLUMNS
from ..emotion_model import EmotionModel
from .draw import FRAMES, Drawing, Window
from .heard import HeardFilm
from .readers import Readers
from .space import PointSpace

PAIRS = 12
"""Windows of a batch before it is doubled."""
SHARP, CLOSED_WEIGHT = 0.008, 4.0
"""Gap in heights of the face at which the extra weight of closed lips has fallen to 37 %, and that weight."""
POINTS, VELOCITY, GAP, LIPS = 1.0, 1.0, 400.0, 0.2
"""Weights of losses."""
MOST = 1 / 3
"""Of the lips' gradient that the emotion's may reach."""
SCHEDULE = Schedule(rate=2e-3, warm_up=20, decay="cosine", decay_from=0.0, decay_to=0.02)


@dataclass(frozen=True, slots=True)
class Batch:
    """2B windows: the second half has other emotions."""

    inputs: Tensor
    mouth: Tensor
    rest: Tensor
    emotion: Tensor
    style: Tensor
    target: Tensor
    known: Tensor
    """(2B,) whether the target is true."""
    like: Tensor
    """(2B, F, K) motion of a face that shows the same emotion."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Batch":
        """On another device."""
        return moved(self, device)


class EmotionTask(Task):
    """Points, velocity, closures, and the two readers."""

    def __init__(
        self,
        model: EmotionModel,
        drawing: Drawing,
        readers: Readers,
        space: PointSpace,
        test: Batch,
        *,
        actors: list[HeardFilm],
        share: float,
    ) -> None:
        """Args: `share` of the windows are of `actors`, films with emotions; `test` is of people that teach nothing."""
        self._model, self._drawing, self._readers, self._space, self._test = model, drawing, readers, space, test
        self._actors = [film for film in actors if len(film) >= FRAMES]
        self._filmed = round(PAIRS * share) if self._actors else 0
        model.decoder.requires_grad_(False)
        readers.eval().requires_grad_(False)
        optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], weight_decay=0.02)
        self.learners = (Learner(network=model, optimiser=optimiser, schedule=SCHEDULE, ema=0.99, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Batch]:
        return drawn_batches(self.draw, place, consumed)

    def draw(self, generator: torch.Generator) -> Batch:
        """One batch."""
        pairs = [self._drawing.constructed(generator) for _ in range(PAIRS - self._filmed)]
        return batch_of(pairs + self._lent(generator))

    def _lent(self, generator: torch.Generator) -> list[tuple[Window, Window]]:
        """Actors' windows, each with one of its own speech under another's different emotion."""
        chosen = torch.randint(len(self._actors), (self._filmed,), generator=generator).tolist() if self._filmed else []
        own = [self._drawing.filmed(self._actors[number], generator) for number in chosen]
        pairs = []
        for number, window in zip(chosen, own, strict=True):
            others = [other for other in own if other.emotion[0].argmax() != window.emotion[0].argmax()]
            if others:
                other = others[int(torch.randint(len(others), (), generator=generator))]
                lent = self._drawing.lent(self._actors[number], other.emotion, generator)
                pairs.append((window, lent, other))
        return pairs

    def losses(self, batch: Batch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        made = networks[0](batch.inputs, batch.mouth, batch.rest, batch.emotion, batch.style)
        speech = spoken(batch.mouth)
        lips, emotion = self._lip_loss(made, speech, batch), self._emotion_loss(made, speech, batch)
        upper = POINTS * (self._space.distance(made - batch.target).mean(1) * batch.known).mean()
        yield lips + upper + _balance(lips, emotion, made) * emotion

    def _lip_loss(self, made: Tensor, speech: Tensor, batch: Batch) -> Tensor:
        """Velocity, gap and closures where the target is true; the lip reader's features everywhere."""
        space, known = self._space, batch.known
        gap, true = space.gap(speech + made), space.gap(speech + batch.target)
        weight = 1 + CLOSED_WEIGHT * torch.exp(-true.clamp(min=0) / SHARP)
        velocity = space.distance((made - batch.target).diff(dim=1)).mean(1)
        exact = (VELOCITY * velocity + GAP * (weight * (gap - true).square()).mean(1)) * known
        own = self._readers.lip_features(speech)
        read = functional.mse_loss(self._readers.lip_features(speech + made), own) / own.square().mean()
        return exact.mean() + LIPS * read

    def _emotion_loss(self, made: Tensor, speech: Tensor, batch: Batch) -> Tensor:
        """1 − cosine of the emotion reader's features to those of a face with the same emotion."""
        made, like = (self._readers.emotion_features(motion) for motion in (speech + made, batch.like))
        return (1 - functional.cosine_similarity(made, like)).mean()

    @torch.no_grad()
    def validate(self, step: int, log: TrainingLog) -> None:
        log.write(step, **check(self._model, self._readers, self._space, self._test))


def check(model: EmotionModel, readers: Readers, space: PointSpace, batch: Batch) -> dict[str, float]:
    """Error over the target's own size, kept closures, and emotions that the reader tells, on a batch."""
    made = model(batch.inputs, batch.mouth, batch.rest, batch.emotion, batch.style)
    speech = spoken(batch.mouth)
    error = space.distance(made - batch.target).mean() / space.distance(batch.target).mean()
    gap, true = space.gap(speech + made), space.gap(speech + batch.target)
    shut = true < 0.004
    same = readers(speech + made)[0].argmax(1) == readers(speech + batch.target)[0].argmax(1)
    return {
        "error": float(error),
        "closed": float((gap[shut] < 0.012).float().mean()),
        "read_alike": float(same.float().mean()),
    }


def batch_of(groups: list[tuple[Window, ...]]) -> Batch:
    """Pairs of windows, and triples whose last one lends its emotion, as one batch."""
    windows = [group[0] for group in groups] + [group[1] for group in groups]
    likes = [group[0] for group in groups] + [group[2] if len(group) > 2 else group[1] for group in groups]
    parts = {name: torch.stack([getattr(window, name) for window in windows]) for name in
             ("inputs", "mouth", "rest", "emotion", "style", "target")}  # fmt: skip
    like = spoken(torch.stack([window.mouth for window in likes])) + torch.stack([window.target for window in likes])
    return Batch(**parts, known=torch.tensor([float(window.known) for window in windows]), like=like)


def spoken(mouth: Tensor) -> Tensor:
    """(B, F, M) the content model's mouth as coefficients (B, F, K)."""
    motion = mouth.new_zeros(*mouth.shape[:-1], len(CURVES))
    motion[..., MOUTH_COLUMNS] = mouth
    return motion


def _balance(lips: Tensor, emotion: Tensor, made: Tensor) -> float:
    """The emotion's weight, so that its gradient stays below a third of the lips'."""
    sizes = [float(torch.autograd.grad(loss, made, retain_graph=True)[0].norm()) for loss in (lips, emotion)]
    return min(1.0, MOST * sizes[0] / max(sizes[1], 1e-12))
