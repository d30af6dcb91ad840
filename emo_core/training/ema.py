"""Exponential moving average of a network's weights (Polyak averaging)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averages the trainable parameters and the floating-point buffers, such as statistics of batch normalisation.

    The decay grows as n / (n + 9) with the number n of steps, so that early weights are forgotten quickly.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from the network's weights; `decay` is the largest."""
        self._decay, self._steps = decay, 0
        self._tensors = [value for value in network.parameters() if value.requires_grad]
        self._tensors += [value for value in network.buffers() if value.is_floating_point()]
        self._average = [value.detach().clone() for value in self._tensors]

    @torch.no_grad()
    def step(self) -> None:
        """Include the network's present weights."""
        self._steps += 1
        decay = 0.0 if self._steps == 1 else min(self._decay, self._steps / (self._steps + 9))
        difference = torch._foreach_sub(self._average, self._tensors)
        torch._foreach_sub_(self._average, difference, alpha=1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the averaged weights within the context, and its own again afterwards."""
        own = [value.detach().clone() for value in self._tensors]
        self.copy_to_network()
        try:
            yield
        finally:
            _copy(own, self._tensors)

    def copy_to_network(self) -> None:
        """Replace the network's weights by the averaged ones."""
        _copy(self._average, self._tensors)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return {"steps": self._steps, "average": self._average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self._steps = state["steps"]
        for target, source in zip(self._average, state["average"], strict=True):
            target.copy_(source)


@torch.no_grad()
def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)
