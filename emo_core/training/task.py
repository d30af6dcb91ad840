"""The interface between a model and the training loop; `loop` has an example.

A task brings its networks with their optimisers, its batches and its losses. The loop does the rest.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .batches import Batch, Place
from .log import TrainingLog
from .schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A network with its optimiser. A GAN has two: the discriminator and the generator."""

    network: nn.Module
    """Its parameters without `requires_grad` stay as they are. Its `forward` is synchronised between processes."""
    optimiser: torch.optim.Optimizer
    """A parameter group with a number under `factor` learns at this multiple of the schedule's rate."""
    schedule: Schedule
    """The learning rate."""
    ema: float | None = None
    """Decay of the moving average of the weights, which validation and the finished network use; None for no average."""
    clip: float = math.inf
    """Largest norm of the gradient."""
    name: str = ""
    """Prefix of its numbers in the log."""


class Task(ABC):
    """A model to train. Learners, batches and losses are required; the other methods may stay as they are."""

    learners: tuple[Learner, ...]
    """In the order of their losses."""

    @abstractmethod
    def batches(self, place: Place, consumed: int) -> Iterator[Batch]:
        """Endless batches of one process, from the one after `consumed` micro steps on.

        A resumed run equals an unbroken one if batches depend on their position alone; see `batches.drawn_batches`.
        """

    @abstractmethod
    def losses(self, batch: Batch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        """Yield the loss of every learner in turn, a scalar or one number per sample.

        The loop updates a learner before it asks for the next loss. A loss changes no weights but its own learner's.

        Args:
            batch: on the device.
            networks: the learners' networks as the loop prepared them for several processes and mixed precision. A loss
                calls its own learner's network from here, and other learners' networks as the task holds them.
            share: finished share of the run, 0 .. 1.
        """

    def prepare(self, place: Place) -> None:  # noqa: B027
        """Called once before the run: move frozen networks and data to the device."""

    def validate(self, step: int, log: TrainingLog) -> None:  # noqa: B027
        """Write numbers and pictures to the log; called on the first process, with averaged weights, in eval mode."""

    def save(self, folder: Path, weights: tuple[dict[str, Tensor], ...]) -> None:  # noqa: B027
        """Write more files into a checkpoint's folder; called on the first process with averaged weights per learner."""
