"""The common form of the schedulers: from noise to a clean latent in a few of the T training timesteps."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from .noise_schedule import NoiseSchedule


class Scheduler(ABC):
    """The denoising steps of one clip. Multistep methods remember earlier steps, so a scheduler serves one clip only.

    The sampler calls, for each `index` of `timesteps` in order, `model_input`, the network, and `step`.
    """

    max_steps = 200
    """Above this, rounding of timesteps costs more than the finer steps gain."""

    def __init__(self, schedule: NoiseSchedule, steps: int) -> None:
        self.schedule = schedule
        self.timesteps = self.choose_timesteps(len(schedule.alphas_cumprod), steps)
        """Training timesteps in the order of sampling, noisiest first."""

    @staticmethod
    def choose_timesteps(total: int, steps: int) -> tuple[int, ...]:
        """`steps` of the timesteps 0 .. total - 1; here from the noisiest on, evenly spaced."""
        return trailing_timesteps(total, steps)

    def start(self, noise: Tensor) -> Tensor:
        """The sample to begin with, from unit normal noise."""
        return noise

    def model_input(self, sample: Tensor, index: int) -> Tensor:
        """The network's input of step `index`: the sample with a^2 + s^2 = 1."""
        return sample

    @abstractmethod
    def step(self, index: int, sample: Tensor, prediction: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Make one step.

        Args:
            index: of `timesteps`.
            sample: any shape, float32.
            prediction: the network's output for `model_input(sample, index)`, epsilon, v or x_0.
            generator: on the CPU, for schedulers that add noise.

        Returns:
            The next sample; after the last step, the clean latents.
        """


def trailing_timesteps(total: int, steps: int) -> tuple[int, ...]:
    """`steps` timesteps, from total - 1 down, evenly spaced and rounded ("trailing" of arXiv 2305.08891, table 2)."""
    # arange's rounding may add one at 0 (with 61 steps of 1000, for instance).
    places = np.arange(total, 0, -total / steps).round()[:steps]
    return tuple(int(place) - 1 for place in places)
