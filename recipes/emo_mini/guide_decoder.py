"""Teach the decoder to see the guide: `python -m recipes.emo_mini.guide_decoder --clips clips.safetensors --init emo-mini-few.safetensors --out FOLDER --minutes M`.

The encoder stays as it is, so latents mean the same. Of the crops, some have no guide and some a right one; the others have the guide that
was drawn with a wrong mouth. Writes FOLDER/vae.safetensors.

Shape legend: B crops, s their side.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from einops import rearrange
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_core.emo.models.vae import VAE
from emo_core.emo.training.reconstruction import picture_loss
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.files import atomic_path
from emo_core.training.batches import Place, drawn_batches, moved
from emo_core.training.checkpoints import checkpoints
from emo_core.training.loop import Settings, train
from emo_core.training.schedule import Limits, Schedule
from emo_core.training.task import Learner, Task

from .guide_gather import Gathered

GUIDE_WIDTH = 32
CROP, CELL = 128, 16
BATCH, BARE = 8, 1
"""Crops of a step, and how many of them are decoded without a guide."""
RIGHT = 0.25
"""Share of the guides that are the truth."""
NEAR_MOUTH = 0.5
"""Share of the crops that lie around the mouth."""
MOUTH_WEIGHT = 8.0
NOISE = 0.08
"""Largest standard deviation of the noise on latents: the network leaves as much behind."""
RATE, OLD_LAYERS = 1.2e-3, 0.25
"""Learning rate, and the factor on it for the layers that were there."""
WARM_UP = 0.03
EVERY = 200


@dataclass(frozen=True, slots=True)
class Pairs:
    """A batch of crops."""

    truth: Tensor
    """(B, 3, s, s) in [-1, 1]"""
    guide: Tensor
    """(B, 3, s, s)"""
    weight: Tensor
    """(B, 1, s, s)"""
    noise: Tensor
    """(B, C, s / CELL, s / CELL)"""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Pairs":
        """On another device."""
        return moved(self, device)


class Beside(nn.Module):
    """The autoencoder's pass over a batch."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, truth: Tensor, guide: Tensor, noise: Tensor) -> Tensor:
        """Pictures (B, 3, s, s), the first BARE of them decoded without the guide."""
        with torch.no_grad():
            latents, own = self.vae.encode(truth) + noise, self.vae.encode(guide[BARE:])
        return torch.cat([self.vae.decode(latents[:BARE]), self.vae.decode(latents[BARE:], guide[BARE:], own)])


class DecoderTask(Task):
    """The decoder with its guide layers."""

    def __init__(self, vae: VAE, gathered: Gathered) -> None:
        self._arrays, self._channels = gathered.arrays, vae.config.channels
        vae.requires_grad_(True)
        vae.net.encoder.requires_grad_(False)
        groups = [
            {"params": list(vae.net.guide.parameters()), "factor": 1.0},
            {"params": list(vae.net.decoder.parameters()), "factor": OLD_LAYERS},
        ]
        learner = Learner(
            network=Beside(vae),
            optimiser=torch.optim.AdamW(groups, RATE, betas=(0.9, 0.99)),
            schedule=Schedule(rate=RATE, warm_up_share=WARM_UP, decay="cosine", decay_from=0.0, decay_to=0.02),
            ema=0.998,
            clip=1.0,
        )
        self.learners = (learner,)

    def batches(self, place: Place, consumed: int) -> Iterator[Pairs]:
        return drawn_batches(self._draw, place, consumed)

    def _draw(self, generator: torch.Generator) -> Pairs:
        pairs = [self._crop(generator) for _ in range(BATCH)]
        truth, guide, weight = (torch.stack(part) for part in zip(*pairs, strict=True))
        level = NOISE * torch.rand(BATCH, 1, 1, 1, generator=generator)
        noise = level * torch.randn(BATCH, self._channels, CROP // CELL, CROP // CELL, generator=generator)
        return Pairs(truth, guide, weight, noise)

    def _crop(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Truth, guide (3, s, s) and weight (1, s, s)."""

        def uniform() -> float:
            return float(torch.rand((), generator=generator))

        arrays = self._arrays
        number = int(torch.randint(len(arrays["truth"]), (), generator=generator))
        truth = arrays["truth"][number]
        guide = truth if uniform() < RIGHT else arrays["guide"][number]
        size, mouth = len(truth), arrays["picture_mouths"][number] * len(truth)
        if uniform() < NEAR_MOUTH:
            corner = (mouth[:2] + mouth[2:] - CROP) / 2 + (torch.rand(2, generator=generator) - 0.5) * 0.5 * CROP
        else:
            corner = torch.rand(2, generator=generator) * (size - CROP + CELL)
        left, top = (corner.clamp(0, size - CROP) // CELL * CELL).long().tolist()
        weight = torch.ones(size, size, 1)
        x0, y0, x1, y1 = mouth.round().long().tolist()
        weight[max(y0, 0) : y1, max(x0, 0) : x1] = MOUTH_WEIGHT
        part = (slice(top, top + CROP), slice(left, left + CROP))
        flip = (1,) if uniform() < 0.5 else ()
        gain, tint = 0.85 + 0.3 * uniform(), 0.16 * (torch.rand(3, 1, 1, generator=generator) - 0.5)
        pictures = (rearrange(picture[part].flip(flip), "h w c -> c h w") for picture in (truth, guide))
        truth, guide = (((picture.float() / 127.5 - 1) * gain + tint).clamp(-1, 1) for picture in pictures)
        return truth, guide, rearrange(weight[part].flip(flip), "h w c -> c h w")

    def losses(self, batch: Pairs, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        """Of pictures and their gradients, heavier at the mouth."""
        yield picture_loss(networks[0](batch.truth, batch.guide, batch.noise).float(), batch.truth, batch.weight)


def guided_vae(vae: VAE) -> VAE:
    """The same autoencoder with layers for a guide, which are still zero."""
    other = VAE(replace(vae.config, guide_width=GUIDE_WIDTH))
    other.load_state_dict(other.state_dict() | vae.state_dict())
    return other


def main() -> None:
    """Train the decoder, and write the autoencoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="of recipes.emo_mini.guide_gather")
    parser.add_argument("--init", type=Path, required=True, help="emo-mini-few.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=18.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vae = guided_vae(load_checkpoint(args.init).vae)
    folder = args.out / "decoder"
    train(
        DecoderTask(vae, Gathered.open(*args.clips)),
        Settings(batch=BATCH, precision="bf16", log_every=EVERY, save_every=EVERY, cpu=True),
        Limits(minutes=args.minutes),
        folder,
        resume=bool(checkpoints(folder)),
        report=lambda line: print(line, flush=True),
    )
    with atomic_path(args.out / "vae.safetensors") as temporary:
        save_file({name: value.contiguous() for name, value in vae.state_dict().items()}, temporary)


if __name__ == "__main__":
    main()
