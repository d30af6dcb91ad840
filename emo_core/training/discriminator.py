"""A discriminator for pictures and its losses: against it, autoencoders draw detail that squared errors alone would blur.

Shape legend: B pictures, s their side.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (64, 128, 256)
RATE, BETAS = 4e-4, (0.5, 0.9)
"""Learning rate and betas of its AdamW."""
MAX_BALANCE = 1e4


class Discriminator(nn.Module):
    """Rates every patch of a picture as real or generated (PatchGAN, arXiv 1611.07004; spectral norms, 1802.05957)."""

    def __init__(self) -> None:
        super().__init__()
        layers, before = [], 3
        for width in WIDTHS:
            layers += [spectral_norm(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            before = width
        self.net = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 3, 1, 1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, s, s) in [-1, 1] to logits (B, 1, s / 8, s / 8), positive for real; in float32 at any precision."""
        with torch.autocast(pictures.device.type, enabled=False):
            return self.net(pictures.float())


def discriminator_loss(discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
    """Hinge loss of the discriminator; no gradient reaches the generator. Pictures (B, 3, s, s)."""
    on_real, on_generated = discriminator(torch.cat([real, generated.detach()])).chunk(2)
    return (1 - on_real).relu().mean() + (1 + on_generated).relu().mean()


def generator_loss(
    discriminator: nn.Module, generated: Tensor, other: Tensor, last: nn.Parameter, weight: float
) -> Tensor:
    """Hinge loss of the generator, balanced against its other loss (arXiv 2012.09841, equation 7).

    Args:
        discriminator: rates the pictures.
        generated: (B, 3, s, s).
        other: the generator's other loss, a scalar.
        last: weight of the generator's last layer.
        weight: norm of this loss's gradient at that layer over the norm of the other's.
    """
    loss = -discriminator(generated).mean()
    norms = [torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (other, loss)]
    return weight * (norms[0] / (norms[1] + 1e-6)).clamp(max=MAX_BALANCE).detach() * loss
