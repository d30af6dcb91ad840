"""Discriminators for pictures and films: against them, generators draw detail that squared errors alone would blur.

Shape legend: B pictures or films, C channels, s side.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (64, 128, 256)
RATE, BETAS = 4e-4, (0.5, 0.9)
"""Learning rate and betas of its AdamW."""
MAX_BALANCE = 1e4


class Discriminator(nn.Module):
    """Rates every patch of a picture as real or generated (PatchGAN, arXiv 1611.07004; spectral norms, 1802.05957).

    A film of few frames is rated as one picture whose channels are those of all frames.
    """

    def __init__(self, channels: int = 3, widths: Sequence[int] = WIDTHS) -> None:
        """Prepare for pictures of C = `channels`; each of the `widths` halves the side."""
        super().__init__()
        layers, before = [], channels
        for width in widths:
            layers += [spectral_norm(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            before = width
        self.net = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 3, 1, 1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, C, s, s) in [-1, 1] to logits (B, 1, s / 8, s / 8), positive for real; in float32 at any precision."""
        with torch.autocast(pictures.device.type, enabled=False):
            return self.net(pictures.float())

    def features(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """What it sees in the pictures: the output of every width, and the logits of `forward`."""
        seen = []
        with torch.autocast(pictures.device.type, enabled=False):
            values = pictures.float()
            for layer in self.net:
                values = layer(values)
                if isinstance(layer, nn.LeakyReLU):
                    seen.append(values)
        return seen, values


def discriminator_loss(discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
    """Hinge loss of the discriminator; no gradient reaches the generator. Pictures (B, C, s, s)."""
    on_real, on_generated = discriminator(torch.cat([real, generated.detach()])).chunk(2)
    return (1 - on_real).relu().mean() + (1 + on_generated).relu().mean()


def generator_loss(
    discriminator: nn.Module, generated: Tensor, other: Tensor, last: nn.Parameter, weight: float
) -> Tensor:
    """Hinge loss of the generator, balanced against its other loss (arXiv 2012.09841, equation 7).

    Args:
        discriminator: rates the pictures.
        generated: (B, C, s, s).
        other: the generator's other loss, a scalar.
        last: weight of the generator's last layer.
        weight: norm of this loss's gradient at that layer over the norm of the other's.
    """
    return balanced(-discriminator(generated).mean(), other, last, weight)


def matching_loss(discriminator: Discriminator, real: Tensor, generated: Tensor) -> Tensor:
    """Mean absolute difference of what the discriminator sees in real and in generated pictures (arXiv 1711.11585)."""
    with torch.no_grad():
        wanted, _ = discriminator.features(real)
    seen, _ = discriminator.features(generated)
    return sum((one - two).abs().mean() for one, two in zip(seen, wanted, strict=True)) / len(seen)


def balanced(loss: Tensor, other: Tensor, last: nn.Parameter, weight: float) -> Tensor:
    """A loss scaled so that its gradient at a layer is `weight` times the other loss's; see `generator_loss`."""
    norms = [torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (other, loss)]
    return weight * (norms[0] / (norms[1] + 1e-6)).clamp(max=MAX_BALANCE).detach() * loss
