"""DPM-Solver++(2M): a multistep solver of second order for the clean latent (arXiv 2211.01095, algorithm 2)."""

import math

import torch
from torch import Tensor

from .noise_levels import SigmaScheduler
from .noise_schedule import NoiseSchedule


class DPMSolver2M(SigmaScheduler):
    """The first step and the last one, whose target has no noise, are of first order."""

    def __init__(self, schedule: NoiseSchedule, steps: int) -> None:
        super().__init__(schedule, steps)
        self._earlier: Tensor | None = None  # The clean latent that the step before predicted.

    def step(self, index: int, sample: Tensor, prediction: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Scheduler.step`; no noise is added."""
        now, after = self.level(index), self.level(index + 1)
        clean = self.schedule.clean(sample, prediction, now)
        width = self.log_snr(index + 1) - self.log_snr(index)
        estimate = clean
        if self._earlier is not None and index < len(self.timesteps) - 1:
            ratio = (self.log_snr(index) - self.log_snr(index - 1)) / width
            estimate = clean + (clean - self._earlier) / (2 * ratio)
        self._earlier = clean
        return after.noise / now.noise * sample - after.signal * math.expm1(-width) * estimate
