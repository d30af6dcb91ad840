"""When a run ends, and how its learning rate changes until then."""

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError
from .checkpoints import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a run ends; the first limit that is reached counts."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise InputError("train: no end is set; give a number of steps or of minutes (--max-steps, --max-minutes)")
        if (self.steps is not None and self.steps < 1) or (self.minutes is not None and self.minutes <= 0):
            raise InputError(f"train: got {self.steps} steps, {self.minutes} minutes; expected more than 0")

    def share(self, progress: Progress) -> float:
        """Finished share of the run, 0 .. 1. With a limit of steps alone it repeats exactly."""
        done = 0.0 if self.steps is None else progress.step / self.steps
        if self.minutes is not None:
            done = max(done, progress.seconds / 60 / self.minutes)
        return min(1.0, done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning rate: linear warm-up, constant, then a decay until the end of the run."""

    rate: float
    """Largest learning rate."""
    warm_up: int = 0
    """Steps until the largest rate."""
    warm_up_share: float = 0.0
    """The same as a share of the run, for runs that are limited by time."""
    decay: Literal["linear", "cosine"] = "linear"
    decay_from: float = 1.0
    """Share of the run after which the rate decays; 1 keeps it constant."""
    decay_to: float = 0.0
    """Final rate over the largest."""

    def at(self, step: int, share: float) -> float:
        """Learning rate of a step (from 0), after a share (0 .. 1) of the run."""
        warm = min(1.0, (step + 1) / max(1, self.warm_up))
        if self.warm_up_share:
            warm = min(warm, 0.01 + share / self.warm_up_share)
        return self.rate * warm * max(self.decay_to, self._decayed(share))

    def _decayed(self, share: float) -> float:
        if share <= self.decay_from:
            return 1.0
        done = (share - self.decay_from) / (1 - self.decay_from)
        return 1 - done if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * done))
