"""Small convolutional networks that read the opening of the mouth from latents, trained on filmed clips.

Shape legend: N pictures, B clips, F frames, C h w latent, G side of the mouth's piece.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from emo_core.emo.training.on_device import Resident
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

SIDE, AROUND = 10, 1.9
"""G, and the piece's side over the width of the lips."""
WIDTH, BATCH = 64, 256
SCHEDULE = Schedule(rate=2e-3, warm_up_share=0.05, decay="cosine", decay_from=0.0)
LOG_EVERY = 500
SHIFT, ZOOM, NOISE, SOFT = 0.1, 0.08, 0.5, 0.3
"""Augmentation: standard deviations of the piece's shift (in widths of the lips) and of the logarithm of its size; most noise; share
of softened pieces. A generated mouth lies near the filmed one, not exactly on it, and is softer."""


class MouthReader(nn.Module):
    """Pieces (N, C, G, G) to openings (N,), in standard deviations from the training clips' mean."""

    def __init__(self, channels: int, width: int = WIDTH) -> None:
        super().__init__()
        small = -(-SIDE // 4)
        self.net = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, stride=2),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, stride=2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(2 * width * small**2, 96),
            nn.SiLU(),
            nn.Linear(96, 1),
        )

    def forward(self, pieces: Tensor) -> Tensor:
        """Read the openings."""
        return self.net(pieces)[:, 0]


def places(mouths: Tensor) -> tuple[Tensor, Tensor]:
    """Places of a clip's mouth: boxes (..., F, 4) to middles (..., F, 2) and sides (..., F), shares of the picture's side.

    They are the clip's means, because the box of a single frame shows how far its mouth is open.
    """
    middle = ((mouths[..., :2] + mouths[..., 2:]) / 2).mean(-2, keepdim=True)
    width = (mouths[..., 2] - mouths[..., 0]).mean(-1, keepdim=True).clamp(min=0.05)
    return middle.expand(*mouths.shape[:-1], 2), AROUND * width.expand(mouths.shape[:-1])


def pieces(latents: Tensor, middles: Tensor, sides: Tensor) -> Tensor:
    """Cut the mouths out of latents (N, C, h, w) at (N, 2) and (N,): (N, C, G, G)."""
    along = (torch.arange(SIDE, device=latents.device) + 0.5) / SIDE - 0.5
    y, x = torch.meshgrid(along, along, indexing="ij")
    at = torch.stack([x, y], -1) * sides[:, None, None, None] + middles[:, None, None]
    return functional.grid_sample(latents.float(), at * 2 - 1, "bilinear", "border", align_corners=False)


def scale(resident: Resident) -> tuple[float, float]:
    """Mean and standard deviation of all openings."""
    return float(resident.openings.mean()), float(resident.openings.std())


@dataclass(frozen=True, slots=True)
class Mouths:
    """A batch."""

    pieces: Tensor
    """(N, C, G, G)"""
    openings: Tensor
    """(N,) in standard deviations from the mean."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Mouths":
        """On another device."""
        return moved(self, device)


class ReaderTask(Task):
    """The regression of openings from clips in memory, drawn by their shares."""

    def __init__(self, reader: MouthReader, resident: Resident, seed: int) -> None:
        self._resident, self._seed = resident, seed
        self._mean, self._deviation = scale(resident)
        spans = zip(resident.starts.tolist(), resident.lengths.tolist(), strict=True)
        clips = [places(resident.mouths[start : start + length]) for start, length in spans]
        self._middles, self._sides = (torch.cat(part) for part in zip(*clips, strict=True))
        optimiser = torch.optim.AdamW(reader.parameters(), weight_decay=0.02)
        self.learners = (Learner(network=reader, optimiser=optimiser, schedule=SCHEDULE),)

    def batches(self, place: Place, consumed: int) -> Iterator[Mouths]:
        return drawn_batches(self._draw, place, consumed, seed=self._seed)

    def _draw(self, generator: torch.Generator) -> Mouths:
        data, device = self._resident, self._resident.latents.device

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=device)

        clip = torch.multinomial(data.share, BATCH, replacement=True, generator=generator)
        within = torch.rand(BATCH, generator=generator, device=device) * data.lengths[clip]
        frames = data.starts[clip] + within.long()
        sides = self._sides[frames] * torch.exp(ZOOM * normal(BATCH))
        middles = self._middles[frames] + SHIFT / AROUND * self._sides[frames, None] * normal(BATCH, 2)
        openings = (data.openings[frames] - self._mean) / self._deviation
        return Mouths(degraded(pieces(data.latents[frames], middles, sides), generator), openings)

    def losses(self, batch: Mouths, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        yield (networks[0](batch.pieces) - batch.openings).square()


def train_reader(resident: Resident, steps: int, seed: int, *, report: Callable[[str], None]) -> MouthReader:
    """Train a reader on all clips; the log's loss is a share of the openings' variance."""
    torch.manual_seed(seed)
    reader = MouthReader(resident.latents.shape[1])
    settings = Settings(batch=BATCH, log_every=LOG_EVERY, cpu=resident.latents.device.type == "cpu")
    train(
        ReaderTask(reader, resident, seed),
        settings,
        Limits(steps=steps),
        None,
        report=lambda line: report(f"reader {seed}, {line}"),
    )
    return reader.requires_grad_(False)


def degraded(mouths: Tensor, generator: torch.Generator) -> Tensor:
    """Pieces (N, C, G, G) with noise, some of them softened."""
    count, device = len(mouths), mouths.device
    level = NOISE * torch.rand(count, 1, 1, 1, generator=generator, device=device)
    noisy = mouths + level * torch.randn(mouths.shape, generator=generator, device=device)
    soft = torch.rand(count, 1, 1, 1, generator=generator, device=device) < SOFT
    return torch.where(soft, functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False), noisy)
