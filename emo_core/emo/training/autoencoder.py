"""Stage `vae`: train the small autoencoder of `tiny` models on a dataset's pictures.

SD 1.5's autoencoder needs no training; a small one knows only the faces that it has seen.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ...dataset.shards import HELD_OUT, TRAIN, Dataset, read_clips
from ...errors import InputError
from ...training.checkpoints import Progress
from ...training.discriminator import HEAD_START, Adversary
from ..models.vae import VAE
from .stages import precision_of
from .train import Limits

MAX_PICTURES = 4000
"""Pictures held in memory, spread evenly over the dataset."""
CROP = 128
"""Pixels; smaller pictures are taken whole."""
MOUTH_WEIGHT = 10.0
SQUARES = 5.0
"""Weight of squared errors beside absolute ones."""
DETAIL, PATCH = 10.0, 16
"""Weight of detail, where a network's latents are learnt from; side in pixels of the patches whose frequencies are compared."""
NOISE = 0.05
"""Standard deviation of the noise on latents: what the diffusion model leaves behind."""
MOMENTS = 0.05
"""Weight of the pull towards unit variance."""
WARM_UP, BEST_DECAY = 0.03, 0.999
"""Share of the run until the full learning rate; slowest decay of the moving average."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Frames in memory."""

    frames: Tensor
    """(N, S, S, 3) uint8"""
    mouths: Tensor
    """(N, 4) pixels: left, top, right, bottom."""
    latents: Tensor | None = None
    """(N, C, h, w) what a network makes of them; None: what the autoencoder itself does."""

    def to(self, device: torch.device) -> "Pictures":
        """On another device."""
        latents = None if self.latents is None else self.latents.to(device)
        return Pictures(self.frames.to(device), self.mouths.to(device), latents)


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """How the autoencoder learns."""

    batch: int = 8
    """Crops per step."""
    decoder_only: bool = False
    """Keep the latents as they are, for a network that was trained on them."""
    precision: str = "auto"
    """auto, no or bf16; see `StageConfig.precision`."""
    rate: float = 1e-3
    """Largest learning rate, which follows half a cosine."""
    adversarial: float = 0.0
    """Weight of a critic beside the other losses; 0 for none."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """What the autoencoder loses, in decibels (PSNR)."""

    whole: float
    mouth: float


def read_pictures(dataset: Dataset, split: str, limit: int = MAX_PICTURES) -> Pictures:
    """Read frames of a split, evenly spread."""
    every = max(1, math.ceil(sum(shard.frames for shard in dataset.split(split)) / limit))
    frames, mouths = [], []
    for clip in read_clips(dataset, split):
        frames.append(clip.pictures()[::every])
        mouths.append(clip.labels.mouths[::every] * dataset.size)
    if not frames:
        return Pictures(torch.zeros(0, dataset.size, dataset.size, 3, dtype=torch.uint8), torch.zeros(0, 4))
    return Pictures(*(torch.from_numpy(np.concatenate(part)) for part in (frames, mouths)))


def both_splits(dataset: Dataset) -> tuple[Pictures, Pictures]:
    """Pictures to learn from, and a few held out."""
    return read_pictures(dataset, TRAIN), read_pictures(dataset, HELD_OUT, 64)


def train_autoencoder(
    vae: VAE,
    pictures: Pictures,
    held_out: Pictures,
    limits: Limits,
    how: Learning = Learning(),
    report: Callable[[str], None] = lambda line: None,
    *,
    made: Pictures | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[VAE, Sharpness]:
    """Train on pictures; at the end the moving average is in place.

    Args:
        vae: of kind `tiny`.
        pictures: of the model's size.
        held_out: others, to judge it by; may be none.
        limits: when to end.
        how: batch, rate and the like.
        report: told of the progress.
        made: pictures with latents, of which each step decodes as many again; of these it learns what is coarse, and how much detail there should be.
        stopped: asked between steps; ends the training as the limits do.

    Raises:
        InputError: for another kind.
    """
    if vae.config.kind != "tiny":
        raise InputError("stage vae: this model has Stable Diffusion's autoencoder, which needs no training")
    judged = held_out if len(held_out.frames) else pictures
    vae.train().requires_grad_(True)
    vae.net.encoder.requires_grad_(not how.decoder_only)
    average = EMAModel(vae.parameters(), decay=BEST_DECAY, foreach=True)
    chosen = [p for p in vae.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(chosen, how.rate, betas=(0.9, 0.99))
    device, start, step = chosen[0].device, time.monotonic(), 0
    pictures, judged, generator = pictures.to(device), judged.to(device), torch.Generator(device).manual_seed(0)
    made = None if made is None else made.to(device)
    half = precision_of(how.precision) == "bf16"
    adversary = Adversary(how.adversarial, device) if how.adversarial else None
    while (share := limits.share(Progress(step, step, time.monotonic() - start))) < 1 and not stopped():
        for group in optimiser.param_groups:
            group["lr"] = how.rate * min(1.0, 0.01 + share / WARM_UP) * max(0.01, 0.5 * (1 + math.cos(math.pi * share)))
        images, weight, known = _drawn(pictures, made, how.batch, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            latents = vae.encode(images[: how.batch])
            seen = latents + NOISE * torch.randn_like(latents)
            output = vae.decode(seen if known is None else torch.cat([seen, known]))
        output = output.float()
        loss = picture_loss(output[: how.batch], images[: how.batch], weight) + MOMENTS * moments_loss(latents.float())
        if known is not None:
            loss = loss + coarse_loss((output - images)[how.batch :]) + DETAIL * detail_loss(output, images)
        if adversary is not None:
            adversary.learn(images, output)
            if share >= HEAD_START:
                loss = loss + adversary.loss(output, loss, last_weight(vae))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(chosen, 1.0)
        optimiser.step()
        step += 1
        average.step(vae.parameters())
        if step % 500 == 0:
            found = _averaged(vae, average, judged)
            report(f"vae step {step} loss {loss:.4f} psnr {found.whole:.2f} dB, mouth {found.mouth:.2f} dB")
    average.copy_to(vae.parameters())
    vae.eval().requires_grad_(False)
    return vae, sharpness(vae, judged)


def _averaged(vae: VAE, average: EMAModel, judged: Pictures) -> Sharpness:
    """Of the moving average, which does not stay in place."""
    average.store(vae.parameters())
    average.copy_to(vae.parameters())
    found = sharpness(vae, judged)
    average.restore(vae.parameters())
    return found


def _drawn(
    pictures: Pictures, made: Pictures | None, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`count` crops to encode with their weights; behind them as many more whose latents (B, C, h, w) are known, or none."""
    images, weight = crops(pictures, count, generator)
    if made is None:
        return images, weight, None
    more, latents = made_crops(made, count, generator)
    return torch.cat([images, more]), weight, latents


def last_weight(vae: VAE) -> nn.Parameter:
    """Of the last convolution of the decoder."""
    *_, weight = (value for value in vae.net.decoder.parameters() if value.ndim == 4)
    return weight


def crops(pictures: Pictures, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random crops, half of them around the mouth, mirrored and tinted; drawn where the pictures and the generator are.

    Returns:
        (B, 3, s, s) in [-1, 1] and the weight of each pixel (B, 1, s, s).
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=pictures.frames.device)

    index, across, down = _places(pictures, count, generator)
    across = torch.where(uniform(count, 1) < 0.5, across.flip(1), across)
    pixels, weights = _cut(pictures, index, across, down)
    gain, tint = 0.85 + 0.3 * uniform(count, 1, 1, 1), 0.16 * (uniform(count, 3, 1, 1) - 0.5)
    return (pixels * gain + tint).clamp(-1, 1), weights


def made_crops(made: Pictures, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random crops of pictures with latents, half of them around the mouth, neither mirrored nor tinted, as latents cannot be.

    Returns:
        (B, 3, s, s) in [-1, 1] and the latents (B, C, s / cell, s / cell).
    """
    cell = made.frames.shape[1] // made.latents.shape[-1]
    index, across, down = _places(made, count, generator, cell)
    columns, rows = (at[:, ::cell] // cell for at in (across, down))
    latents = made.latents[index[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return _cut(made, index, across, down)[0], rearrange(latents, "b h w c -> b c h w").float()


def _places(pictures: Pictures, count: int, generator: torch.Generator, cell: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Which pictures (B,), and which of their columns and rows (B, s), from a multiple of `cell` on."""
    size, device = pictures.frames.shape[1], pictures.frames.device
    side = min(CROP, size)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    index = torch.randint(len(pictures.frames), (count,), generator=generator, device=device)
    mouth = pictures.mouths[index].float()
    near = (mouth[:, :2] + mouth[:, 2:] - side) / 2 + (uniform(count, 2) - 0.5) * 0.6 * side
    corner = torch.where(uniform(count, 1) < 0.5, near, uniform(count, 2) * (size - side + cell))
    corner = corner.clamp(0, size - side).long() // cell * cell
    across, down = (corner[:, axis, None] + torch.arange(side, device=device) for axis in (0, 1))
    return index, across, down


def _cut(pictures: Pictures, index: Tensor, across: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, s, s) in [-1, 1], and their weights (B, 1, s, s)."""
    images = pictures.frames[index[:, None, None], down[:, :, None], across[:, None, :]]
    mouth = pictures.mouths[index].float()
    x, y = ((at >= mouth[:, axis, None]) & (at < mouth[:, axis + 2, None]) for axis, at in ((0, across), (1, down)))
    weights = 1 + (MOUTH_WEIGHT - 1) * (y[:, :, None] & x[:, None, :]).float()
    return rearrange(images, "b h w c -> b c h w").float() / 127.5 - 1, weights[:, None]


def picture_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 and squares (which the decibels count) + L1 of gradients + L1 at three coarser scales."""
    error = output - target
    loss = ((error.abs() + SQUARES * error.square()) * weight).mean()
    for axis in (2, 3):
        loss = loss + (error.diff(dim=axis).abs() * weight.narrow(axis, 0, weight.shape[axis] - 1)).mean()
    return loss + coarse_loss(error)


def detail_loss(output: Tensor, target: Tensor) -> Tensor:
    """L1 of how much of each frequency there is, wherever it lies."""
    return (detail(output) - detail(target)).abs().mean()


def detail(images: Tensor) -> Tensor:
    """(B, 3, s, s) to (B, n, n, PATCH, PATCH // 2 + 1): roots of the grey's amplitudes in overlapping patches."""
    grey = images.mean(1).unfold(1, PATCH, PATCH // 2).unfold(2, PATCH, PATCH // 2)
    line = torch.hann_window(PATCH, periodic=False, device=images.device)
    # Of the root, what is faint counts too; the small number keeps its slope finite.
    return (torch.fft.rfft2(grey * line[:, None] * line, norm="ortho").abs() + 1e-3).sqrt()


def coarse_loss(error: Tensor) -> Tensor:
    """L1 at three coarser scales: all that can be asked of pictures whose details lie elsewhere."""
    loss = error.new_zeros(())
    for _ in range(3):
        error = functional.avg_pool2d(error, 2)
        loss = loss + 0.5 * error.abs().mean()
    return loss


def moments_loss(latents: Tensor) -> Tensor:
    """Pull every latent channel (B, C, h, w) towards mean 0 and variance 1, so that one scaling factor fits all."""
    return latents.mean((0, 2, 3)).square().mean() + (latents.std((0, 2, 3)) - 1).square().mean()


@torch.no_grad()
def sharpness(vae: VAE, pictures: Pictures, count: int = 24) -> Sharpness:
    """PSNR of evenly chosen pictures, whole and in the box of the mouth."""
    whole, mouth = [], []
    device = next(vae.parameters()).device
    for index in np.linspace(0, len(pictures.frames) - 1, min(count, len(pictures.frames))).astype(int):
        image = pictures.frames[index].permute(2, 0, 1)[None].to(device).float() / 127.5 - 1
        error = (vae.decode(vae.encode(image)).clamp(-1, 1) - image).square() / 4
        left, top, right, bottom = pictures.mouths[index].clamp(min=0).long().tolist()
        whole.append(error.mean())
        mouth.append(error[..., top : bottom + 1, left : right + 1].mean())
    return Sharpness(*(float(-10 * torch.stack(part).mean().log10()) for part in (whole, mouth)))
