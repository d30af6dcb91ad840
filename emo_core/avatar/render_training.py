"""Train the network that draws a person's lower face.

Three networks learn: a discriminator of pictures, one of three successive frames, and the network itself. The discriminators
begin in the second half of a run; what they see reaches the network in its last part at a small weight.

Shape legend: N frames of a track, B pictures of a batch in groups of T successive frames, P side of the patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..face.rig import load_rig
from ..training.batches import Place, drawn_batches, moved
from ..training.checkpoints import checkpoints
from ..training.discriminator import BETAS, RATE, Discriminator, balanced, discriminator_loss, matching_loss
from ..training.log import TrainingLog
from ..training.loop import Settings, train
from ..training.schedule import Limits, Schedule
from ..training.task import Learner, Task
from .inputs import MOUTHS, as_tensor, composed, to_network
from .patches import window
from .precision import half_precision
from .preview import preview_sheet
from .render_data import Group, MouthFilm
from .render_losses import change_loss, mouth_weights, picture_loss
from .retrieval import LARGEST, Gallery
from .track import Track
from .unet import BASE, MouthNet, load_base, net_for, save_weights

GROUP = 3
"""Frames of a film that the second discriminator rates."""
JUDGED = (0.125, 0.875)
"""Part of the patch's side that the discriminators see: the mouth and the skin around it."""
WATCH, ACT = 0.5, 2 / 3
"""Share of a run from which the discriminators learn, and from which they act on the network."""
PICTURES, FILMS, MATCHING = 0.06, 0.06, 0.3
"""Weights of both adversarial losses and of matched features, as shares of the other losses' gradient."""
EMA = 0.998
WEIGHTS = "net.safetensors"
"""In a checkpoint: the averaged weights, as `unet.load_base` reads them."""
CUT = 0.02
"""Share of all progress that cutting the patches takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """How the network trains."""

    groups: int = 4
    """Groups per step."""
    rate: float = 6e-4
    """Largest learning rate; it decays along a cosine."""
    colours: float = 0.0
    """Standard deviation of random gains of the colours, for a network that many people share."""
    validate_every: int = 100
    """Steps between previews and checkpoints."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What is called while the network trains."""

    preview: Callable[[np.ndarray], None] = lambda picture: None
    """Gets a sheet of `preview`, (H, W, 3) uint8."""
    progress: Callable[[float], None] = lambda share: None
    """Gets the finished share; raise in it to cancel."""
    report: Callable[[str], None] = lambda line: None
    """Gets lines of the log."""


@dataclass(frozen=True, slots=True)
class RenderBatch:
    """B pictures."""

    inputs: Tensor
    """(B, INPUTS, P, P)"""
    controls: Tensor
    """(B, CONTROLS)"""
    bases: Tensor
    """(B, 3, P, P) in -1 .. 1, as the targets."""
    targets: Tensor
    """(B, 3, P, P)"""
    mouths: Tensor
    """(B, 1, P, P) 0 .. 1, weights."""
    group: int
    """T."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> RenderBatch:
        """On another device."""
        return moved(self, device)


class RenderTask(Task):
    """Discriminator of pictures, discriminator of films, network."""

    def __init__(
        self,
        net: MouthNet,
        films: Sequence[MouthFilm],
        settings: RenderSettings = RenderSettings(),
        hooks: Hooks = Hooks(),
    ) -> None:
        self.net, self._films, self._settings = net.requires_grad_(True), films, settings
        self._hooks = hooks
        self._window = torch.from_numpy(window(films[0].size))
        self.pictures, self.films = Discriminator(3, (32, 64, 128)), Discriminator(3 * GROUP, (32, 64, 128))
        decayed = [value for value in net.parameters() if value.ndim > 1]
        plain = [value for value in net.parameters() if value.ndim == 1]
        optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 1e-3}, {"params": plain, "weight_decay": 0.0}],
            settings.rate,
            betas=(0.9, 0.99),
        )
        self.learners = (
            *(self._judge(judge, name) for judge, name in ((self.pictures, "pictures"), (self.films, "films"))),
            Learner(
                network=net,
                optimiser=optimiser,
                schedule=Schedule(rate=settings.rate, warm_up=20, decay="cosine", decay_from=0.0, decay_to=0.02),
                ema=EMA,
                clip=1.0,
            ),
        )

    @staticmethod
    def _judge(judge: Discriminator, name: str) -> Learner:
        optimiser = torch.optim.AdamW(judge.parameters(), RATE, betas=BETAS, weight_decay=0.0)
        return Learner(network=judge, optimiser=optimiser, schedule=Schedule(rate=RATE), name=name)

    def prepare(self, place: Place) -> None:
        self._window = self._window.to(place.device)

    def batches(self, place: Place, consumed: int) -> Iterator[RenderBatch]:
        return drawn_batches(self._draw, place, consumed, seed=self._settings.seed)

    def _draw(self, generator: torch.Generator) -> RenderBatch:
        seed = torch.randint(2**31, (1,), generator=generator, device=generator.device)
        random = np.random.default_rng(int(seed))
        # Single frames differ more from each other; films teach how they follow each other.
        count = GROUP if random.random() < 0.5 else 1
        sizes = np.sqrt([len(film) for film in self._films])
        chosen = random.choice(len(sizes), self._settings.groups * GROUP // count, p=sizes / sizes.sum())
        return batch_of([self._films[film].draw(count, random) for film in chosen], self._gains(len(chosen), random))

    def _gains(self, count: int, random: np.random.Generator) -> np.ndarray | None:
        spread = self._settings.colours
        if not spread:
            return None
        return np.exp(random.normal(0, spread, (count, 1)) + random.normal(0, spread / 3, (count, 3)))

    def losses(self, batch: RenderBatch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        """Of both discriminators, then of the network."""
        self._hooks.progress(share)
        output = networks[2](batch.inputs, batch.controls).float()
        drawn, _, _ = composed(output, batch.inputs, batch.bases, self._window)
        # What lies around the region is the base's, as in use.
        target = batch.bases + batch.inputs[:, -1:] * (batch.targets - batch.bases)
        pairs = [(self.pictures, judged(target), judged(drawn), PICTURES)]
        if batch.group == GROUP:
            pairs.append((self.films, as_films(judged(target)), as_films(judged(drawn)), FILMS))
        for place, judge in enumerate((self.pictures, self.films)):
            if share >= WATCH and place < len(pairs):
                yield discriminator_loss(networks[place], *pairs[place][1:3])
            else:
                yield nothing(judge)
        loss = picture_loss(drawn, target, batch.mouths)
        loss = loss + change_loss(drawn, target, batch.mouths, batch.group)
        if share >= ACT:
            loss = loss + self.adversarial(loss, pairs)
        yield loss

    def adversarial(self, loss: Tensor, pairs: list[tuple[Discriminator, Tensor, Tensor, float]]) -> Tensor:
        """What the discriminators say of drawn pictures and films, balanced against the other losses at the last layer."""
        last, total = self.net.last.weight, loss.new_zeros(())
        for judge, real, drawn, weight in pairs:
            total = total + balanced(-judge(drawn).mean(), loss, last, weight)
            total = total + balanced(matching_loss(judge, real, drawn), loss, last, weight * MATCHING / PICTURES)
        return total

    def save(self, folder: Path, weights: tuple[dict[str, Tensor], ...]) -> None:
        save_weights(weights[2], self.net.config, folder / WEIGHTS)

    def validate(self, step: int, log: TrainingLog) -> None:
        sheet = preview_sheet(self.net, self._films[step // self._settings.validate_every % len(self._films)])
        log.picture(step, "mouths", sheet)
        self._hooks.preview(sheet)


def batch_of(groups: Sequence[Group], gains: np.ndarray | None = None) -> RenderBatch:
    """Join groups of equal length; `gains` (groups, 3) change the colours of each."""
    parts = []
    for number, group in enumerate(groups):
        inputs, bases, regions = to_network(group.drawings)
        targets = as_tensor(group.targets)
        if gains is not None:
            gain = torch.from_numpy(gains[number]).float()[:, None, None]
            targets, bases = (_tinted(part, gain) for part in (targets, bases))
            mouths = _tinted(inputs[:, MOUTHS], gain)
            inputs = torch.cat([inputs[:, :4], mouths, inputs[:, 7:9], bases * (1 - regions), regions], dim=1)
        weights = torch.from_numpy(mouth_weights(group.points, group.targets.shape[1]))[:, None]
        parts.append((inputs, torch.from_numpy(group.controls), bases, targets, weights))
    return RenderBatch(*(torch.cat(part) for part in zip(*parts, strict=True)), group=len(groups[0].targets))


def _tinted(pictures: Tensor, gain: Tensor) -> Tensor:
    return ((pictures + 1) * gain - 1).clamp(-1, 1)


def judged(pictures: Tensor) -> Tensor:
    """The part that the discriminators see."""
    low, high = (round(pictures.shape[-1] * share) for share in JUDGED)
    return pictures[..., low:high, low:high]


def as_films(pictures: Tensor) -> Tensor:
    """(B, 3, p, p) to (B / T, 3 T, p, p)."""
    return pictures.unflatten(0, (-1, GROUP)).flatten(1, 2)


def nothing(network: nn.Module) -> Tensor:
    """A loss of 0 that every parameter has a gradient of."""
    return sum(0.0 * value.sum() for value in network.parameters())


def train_renderer(
    track: Track,
    sound_codes: np.ndarray | None,
    base: Path = BASE,
    *,
    minutes: float,
    folder: Path | None,
    resume: bool = False,
    preview: Callable[[np.ndarray], None] = lambda picture: None,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[MouthNet, Gallery]:
    """Learn to draw one person's lower face.

    Args:
        track: of the person; its squares are 256 or 512 pixels wide.
        sound_codes: (N, 128) of `sound_codes.sound_codes`; None for none.
        base: network of many people to start from.
        minutes: time to train.
        folder: for checkpoints and log; None writes none, and nothing can be resumed.
        resume: continue from the folder's newest checkpoint, if it has one.
        preview: gets a picture of true, drawn and copied mouths now and then, (H, W, 3) uint8.
        progress: gets the finished share; raise in it to cancel.

    Returns:
        The network in eval mode, and the real mouths that it draws from.

    Raises:
        InputError: if a file cannot be read or written.
        Cancelled, TrainingError: see `training.loop.train`.
    """
    size = track.size // 2
    net = net_for(size, load_base(base))
    film = MouthFilm(track, load_rig(), sound_codes, size, mouths=LARGEST, progress=lambda share: progress(CUT * share))
    hooks = Hooks(preview=preview, progress=lambda share: progress(CUT + (1 - CUT) * share))
    train_on(net, [film], RenderSettings(), Limits(minutes=minutes), folder, resume=resume, hooks=hooks)
    return net, film.gallery()


def train_on(
    net: MouthNet,
    films: Sequence[MouthFilm],
    settings: RenderSettings,
    limits: Limits,
    folder: Path | None,
    *,
    resume: bool = False,
    hooks: Hooks = Hooks(),
) -> None:
    """Train a network on the films of one or several people; see `train_renderer`."""
    torch.manual_seed(settings.seed)
    every = settings.validate_every
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loop = Settings(
        batch=settings.groups * GROUP,
        log_every=25,
        save_every=every,
        validate_every=every,
        precision="bf16" if half_precision(device) else "no",
    )
    task = RenderTask(net, films, settings, hooks)
    resume = resume and folder is not None and bool(checkpoints(folder))
    train(task, loop, limits, folder, resume=resume, report=hooks.report)
    net.eval().requires_grad_(False)
