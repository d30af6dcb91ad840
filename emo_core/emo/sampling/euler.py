"""Euler's method on the probability flow ODE, dx / dsigma = (x - x_0) / sigma (arXiv 2206.00364, algorithm 1 without its correction)."""

import math

import torch
from torch import Tensor

from .noise_levels import SigmaScheduler


class Euler(SigmaScheduler):
    """Its sample is x_0 + sigma e: unit signal, whatever the noise."""

    def start(self, noise: Tensor) -> Tensor:
        """Noise of the first sigma."""
        return noise * self.sigmas[0]

    def model_input(self, sample: Tensor, index: int) -> Tensor:
        """The sample scaled to a^2 + s^2 = 1."""
        return sample / math.sqrt(self.sigmas[index] ** 2 + 1)

    def step(self, index: int, sample: Tensor, prediction: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Scheduler.step`; no noise is added."""
        clean = self.schedule.clean(self.model_input(sample, index), prediction, self.level(index))
        # sample + slope (sigma_next - sigma), without the loss of digits at the large sigma of pure noise.
        slope = (sample - clean) / self.sigmas[index]
        return clean + slope * self.sigmas[index + 1]
