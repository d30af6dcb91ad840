"""Gathered clips as the trainer draws them, and the loss of a network that repairs its guide.

Shape legend: N clips, B samples, F frames, C h w latent.
"""

from dataclasses import replace

import torch
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn import functional

from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.conditions.drawing import TrainingClips
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.batch import Batch
from emo_core.emo.training.objective import quick_attention

from .guide_gather import Gathered

HIDDEN = 0.1
"""Share of the samples in whose guides noise hides the mouth, more or less."""
BESIDE, ABOVE, BELOW = 0.5, 0.3, 0.9
"""The cells of the mouth reach so many widths of the lips beyond them: to the cheeks, the nose and the chin."""
MOUTH_WEIGHT = 4.0
"""Weight of the cells of the mouth beside 1."""
CHANGE, MOST = 2.0, 4.0
"""Further weight of a cell by the square of its difference from the guide, in units of the mean one, up to MOST."""
LAST = 999
"""The timestep of pure noise."""
LEAST = 0.3
"""A sample whose guide is nearly right counts as if copying it had this loss."""


def training_clips(gathered: Gathered) -> TrainingClips:
    """The clips, and behind them their portraits as clips of one frame that serve as references only.

    What is to be generated is the film's mouth in the drawn frame. Elsewhere the guide is right as it is: a network that learned how films
    differ from it there knew the people it had learned from, and made others worse (by 18 % of the error after 400 steps).
    """
    arrays, count = gathered.arrays, len(gathered.names)
    lengths = torch.cat([arrays["lengths"], torch.ones(count, dtype=torch.long)])
    starts = lengths.cumsum(0) - lengths

    def padded(name: str) -> Tensor:
        values = arrays[name]
        return torch.cat([values, values.new_zeros(count, *values.shape[1:])])

    return TrainingClips(
        starts=starts,
        lengths=lengths,
        share=torch.cat([arrays["lengths"].float(), torch.zeros(count)]),
        references=torch.arange(count, 2 * count).repeat(2)[:, None],
        boxes=arrays["boxes"].repeat(2, 1),
        mouths=padded("mouths"),
        openings=padded("openings"),
        speed=padded("speed"),
        latents=torch.cat([spoken(arrays), arrays["portraits"]]),
        guides=torch.cat([arrays["guides"], arrays["portraits"]]),
        features=arrays["features"][None],
        feature_starts=torch.cat([starts[:count], torch.zeros(count, dtype=torch.long)]),
    )


def spoken(arrays: dict[str, Tensor]) -> Tensor:
    """(T, C, h, w) the film's mouths in the drawn frames."""
    mouth = mouth_cells(arrays["mouths"], arrays["latents"].shape[-1])
    return torch.where(mouth > 0, arrays["latents"], arrays["guides"])


def residual_scale(gathered: Gathered) -> float:
    """Standard deviation of latent - guide at mouths."""
    arrays = gathered.arrays
    squares = (arrays["latents"].float() - arrays["guides"].float()).square().mean(1, keepdim=True)
    mouth = mouth_cells(arrays["mouths"], squares.shape[-1])
    return round(float(((squares * mouth).sum() / mouth.sum()).sqrt()), 4)


def mouth_cells(lips: Tensor, side: int) -> Tensor:
    """Boxes of lips (..., 4), as shares of the side, to the latent cells of mouth and chin: (..., 1, h, w), 0 or 1."""
    left, top, right, bottom = lips.unbind(-1)
    width = right - left
    middle = (torch.arange(side, device=lips.device) + 0.5) / side
    x = (middle > (left - BESIDE * width)[..., None]) & (middle < (right + BESIDE * width)[..., None])
    y = (middle > (top - ABOVE * width)[..., None]) & (middle < (bottom + BELOW * width)[..., None])
    return (rearrange(y, "... h -> ... 1 h 1") & rearrange(x, "... w -> ... 1 1 w")).float()


def sometimes_hidden(batch: Batch) -> Batch:
    """In some samples noise hides the guide's mouth, more or less."""
    # From the batch's own numbers, so that a resumed run draws the same.
    generator = torch.Generator().manual_seed(int(batch.noise.double().abs().sum() * 1000))
    guide, count = batch.conditions["guide"], len(batch.noise)
    hidden = (torch.rand(count, generator=generator) < HIDDEN).view(-1, 1, 1, 1, 1)
    level = (
        hidden * torch.rand(count, 1, 1, 1, 1, generator=generator) * mouth_cells(batch.mouths, batch.noise.shape[-1])
    )
    guide = torch.lerp(guide, torch.randn(guide.shape, generator=generator), level)
    return replace(batch, conditions={**batch.conditions, "guide": guide})


def at_the_first_step(batch: Batch) -> Batch:
    """As one step of sampling does it, with guides that are sometimes hidden."""
    return from_pure_noise(sometimes_hidden(batch))


def from_pure_noise(batch: Batch) -> Batch:
    """At the last timestep.

    Frames share most of their noise. At an earlier timestep their differences show the film through it: the network learned to read these
    in 600 steps, and to be silent at the first step of sampling, where it has to listen.
    """
    return replace(batch, timesteps=torch.full_like(batch.timesteps, LAST))


class GuidedObjective(nn.Module):
    """Squared errors, heavier at the mouth and where the film differs from the guide, over those of copying the guide."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, batch: Batch, clean: Tensor, conditions: Conditions) -> Tensor:
        """Losses (B,) of clean latents (B, F, C, h, w): 1 is a copy of the guide."""
        weight, copied = self.weights(batch, self.denoiser.residual(clean, conditions["guide"]))
        with quick_attention(clean.device):
            loss = self.denoiser.loss(
                clean, conditions, noise=batch.noise, timesteps=batch.timesteps, weight=weight, keep=batch.keep
            )
        return loss / copied

    @staticmethod
    def weights(batch: Batch, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (B, F, 1, h, w) of the cells of a residual (B, F, C, h, w), and the loss (B,) of copying the guide, at least LEAST."""
        power = reduce(residual.square(), "b f c h w -> b f 1 h w", "mean")
        # The guide shakes against the film by parts of a pixel; neighbours share their weight.
        smooth = functional.avg_pool2d(power.flatten(0, 1), 3, 1, 1).view_as(power)
        weight = 1 + MOUTH_WEIGHT * mouth_cells(batch.mouths, batch.noise.shape[-1])
        weight = weight * (1 + CHANGE * smooth.clamp(max=MOST))
        copied = reduce(power * weight, "b f 1 h w -> b", "sum") / reduce(weight, "b f 1 h w -> b", "sum")
        return weight, copied.clamp(min=LEAST)
