"""The moving average of weights."""

import pytest
import torch
from torch import nn

from emo_core.training.ema import MovingAverage


def test_early_weights_are_forgotten_quickly():
    net = nn.Linear(1, 1, bias=False)
    average, expected = MovingAverage(net, 0.5), None
    for n in range(1, 30):
        nn.init.constant_(net.weight, float(n))
        average.step()
        decay = 0.0 if n == 1 else min(0.5, n / (n + 9))
        expected = float(n) if expected is None else decay * expected + (1 - decay) * n
    with average.in_place():
        assert float(net.weight.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(net.weight.detach()) == 29.0


def test_it_covers_trainable_parameters_and_statistics():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[0].requires_grad_(False)
    average = MovingAverage(net, 0.9)
    frozen = net[0].weight.clone()
    for _ in range(3):
        net(torch.randn(8, 2) + 5)
        average.step()
    last = net[1].running_mean.clone()
    average.copy_to_network()
    assert torch.equal(net[0].weight, frozen)
    assert 0 < float(net[1].running_mean.norm()) < float(last.norm())


def test_its_state_continues():
    nets = [nn.Linear(2, 1) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    first = MovingAverage(nets[0], 0.9)
    first.step()
    second = MovingAverage(nets[1], 0.9)
    second.load_state_dict(first.state_dict())
    for net, average in zip(nets, (first, second), strict=True):
        nn.init.constant_(net.weight, 3.0)
        average.step()
        average.copy_to_network()
    assert torch.equal(nets[0].weight, nets[1].weight)
