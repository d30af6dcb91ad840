"""The autoencoder's adversary."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from emo_core.training.discriminator import Adversary, Discriminator

CPU = torch.device("cpu")


def sharp(count: int = 8) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32).round() * 2 - 1


def blurred(pictures: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(pictures, 3, 1, 1)


def test_it_looks_at_patches():
    assert Discriminator()(sharp(2)).shape == (2, 1, 4, 4)


def test_it_learns_what_blur_is():
    torch.manual_seed(0)
    adversary = Adversary(1.0, CPU)
    for _ in range(30):
        true = sharp()
        adversary.learn(true, blurred(true))
    true = sharp()
    with torch.no_grad():
        assert adversary.critic(true).mean() > adversary.critic(blurred(true)).mean() + 0.5


@pytest.mark.parametrize("weight", [0.2, 1.0])
def test_its_pull_is_a_share_of_the_others(weight):
    """At the last layer, whatever the scale of either loss."""
    torch.manual_seed(0)
    last, adversary, true = nn.Conv2d(3, 3, 3, padding=1), Adversary(weight, CPU), sharp()
    made = last(blurred(true))
    other = 100 * (made - true).square().mean()
    pull = torch.autograd.grad(adversary.loss(made, other, last.weight), last.weight, retain_graph=True)[0].norm()
    assert float(pull) == pytest.approx(weight * float(torch.autograd.grad(other, last.weight)[0].norm()), rel=1e-3)


def test_the_maker_does_not_teach_it():
    last, adversary, true = nn.Conv2d(3, 3, 3, padding=1), Adversary(0.5, CPU), sharp()
    made = last(true)
    other = made.square().mean()
    (other + adversary.loss(made, other, last.weight)).backward()
    assert last.weight.grad is not None and all(p.grad is None for p in adversary.critic.parameters())
