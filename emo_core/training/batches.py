"""Batches of a training run: their protocol, and a stream that is drawn on the device and can be resumed."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

B = TypeVar("B")


class Batch(Protocol):
    """One micro step's samples."""

    keys: tuple[str, ...]
    """Names of the samples, for error messages; may be empty."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process of a run computes."""

    device: torch.device
    rank: int = 0
    """Number of this process."""
    processes: int = 1
    """Number of processes."""


def moved(batch: B, device: torch.device) -> B:
    """A frozen dataclass of tensors on another device; other fields stay."""
    return dataclasses.replace(
        batch, **{field.name: _moved(getattr(batch, field.name), device) for field in dataclasses.fields(batch)}
    )


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def seed_of(*numbers: int) -> int:
    """One seed (63 bits) from several numbers; different numbers give independent streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) % 2**63


def drawn_batches(draw: Callable[[torch.Generator], B], place: Place, consumed: int, *, seed: int = 0) -> Iterator[B]:
    """Endless batches, each from a generator seeded by (seed, rank, position), so that a resumed run draws the same.

    Args:
        draw: makes a batch from a generator on the place's device.
        place: where this process computes.
        consumed: micro steps that the run has made.
        seed: of the run.
    """
    for position in itertools.count(consumed):
        yield draw(torch.Generator(place.device).manual_seed(seed_of(seed, place.rank, position)))
