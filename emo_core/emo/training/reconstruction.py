"""How well an autoencoder reconstructs pictures: its losses, and PSNR.

Shape legend: B pictures, s their side, C h w latent.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..models.vae import VAE
from .pictures import Pictures

SQUARES = 5.0
"""Weight of squared errors beside absolute ones."""
PATCH = 16
"""Side in pixels of the patches whose frequencies are compared."""


@dataclass(frozen=True, slots=True)
class PSNR:
    """Peak signal-to-noise ratio of reconstructions, in dB."""

    picture: float
    mouth: float
    """In the box of the mouth."""

    def __str__(self) -> str:
        return f"{self.picture:.2f} dB, mouth {self.mouth:.2f} dB"


@torch.no_grad()
def reconstruction_psnr(vae: VAE, pictures: Pictures, count: int = 24) -> PSNR:
    """PSNR of evenly chosen pictures."""
    whole, mouth = [], []
    device = next(vae.parameters()).device
    for index in np.linspace(0, len(pictures.frames) - 1, min(count, len(pictures.frames))).astype(int):
        image = pictures.frames[index].permute(2, 0, 1)[None].to(device).float() / 127.5 - 1
        error = (vae.decode(vae.encode(image)).clamp(-1, 1) - image).square() / 4
        left, top, right, bottom = pictures.mouths[index].clamp(min=0).long().tolist()
        whole.append(error.mean())
        mouth.append(error[..., top : bottom + 1, left : right + 1].mean())
    return PSNR(*(float(-10 * torch.stack(part).mean().log10()) for part in (whole, mouth)))


def picture_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 and squares (which PSNR measures) + L1 of gradients + L1 at three coarser scales."""
    error = output - target
    loss = ((error.abs() + SQUARES * error.square()) * weight).mean()
    for axis in (2, 3):
        loss = loss + (error.diff(dim=axis).abs() * weight.narrow(axis, 0, weight.shape[axis] - 1)).mean()
    return loss + coarse_loss(error)


def detail_loss(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the amounts of each frequency, wherever they lie."""
    return (detail(output) - detail(target)).abs().mean()


def detail(images: Tensor) -> Tensor:
    """(B, 3, s, s) to (B, n, n, PATCH, PATCH // 2 + 1): roots of the grey's amplitudes in overlapping patches."""
    grey = images.mean(1).unfold(1, PATCH, PATCH // 2).unfold(2, PATCH, PATCH // 2)
    line = torch.hann_window(PATCH, periodic=False, device=images.device)
    # The root lets faint frequencies count; the small number keeps its slope finite.
    return (torch.fft.rfft2(grey * line[:, None] * line, norm="ortho").abs() + 1e-3).sqrt()


def coarse_loss(error: Tensor) -> Tensor:
    """L1 at three coarser scales, for pictures whose details may lie elsewhere."""
    loss = error.new_zeros(())
    for _ in range(3):
        error = functional.avg_pool2d(error, 2)
        loss = loss + 0.5 * error.abs().mean()
    return loss


def moments_loss(latents: Tensor) -> Tensor:
    """Pull every latent channel (B, C, h, w) towards mean 0 and variance 1, so that one scaling factor fits all."""
    return latents.mean((0, 2, 3)).square().mean() + (latents.std((0, 2, 3)) - 1).square().mean()
