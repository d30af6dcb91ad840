"""The discriminator of pictures and its losses."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from emo_core.training.discriminator import BETAS, RATE, Discriminator, discriminator_loss, generator_loss


def sharp(count: int = 8) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32).round() * 2 - 1


def blurred(pictures: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(pictures, 3, 1, 1)


def test_it_rates_patches():
    assert Discriminator()(sharp(2)).shape == (2, 1, 4, 4)


def test_it_learns_to_rate_blurred_pictures_lower():
    torch.manual_seed(0)
    discriminator = Discriminator()
    optimiser = torch.optim.AdamW(discriminator.parameters(), RATE, betas=BETAS)
    for _ in range(30):
        real = sharp()
        optimiser.zero_grad()
        discriminator_loss(discriminator, real, blurred(real)).backward()
        optimiser.step()
    real = sharp()
    with torch.no_grad():
        assert discriminator(real).mean() > discriminator(blurred(real)).mean() + 0.5


@pytest.mark.parametrize("weight", [0.2, 1.0])
def test_the_generators_loss_is_balanced_at_the_last_layer(weight):
    """Whatever the scale of either loss."""
    torch.manual_seed(0)
    last, discriminator, real = nn.Conv2d(3, 3, 3, padding=1), Discriminator(), sharp()
    generated = last(blurred(real))
    other = 100 * (generated - real).square().mean()
    loss = generator_loss(discriminator, generated, other, last.weight, weight)
    gradient = torch.autograd.grad(loss, last.weight, retain_graph=True)[0].norm()
    assert float(gradient) == pytest.approx(weight * float(torch.autograd.grad(other, last.weight)[0].norm()), rel=1e-3)


def test_the_discriminators_loss_does_not_reach_the_generator():
    last, real = nn.Conv2d(3, 3, 3, padding=1), sharp()
    discriminator_loss(Discriminator(), real, last(real)).backward()
    assert last.weight.grad is None
