"""The noise levels of schedulers that step through sigma = s / a, the noise of a latent with unit signal."""

import math
from abc import ABC

from .noise_schedule import NoiseSchedule, SignalAndNoise
from .scheduler import Scheduler

SMALLEST_SIGNAL = 2.0**-24
"""a^2 of pure noise (zero terminal SNR), whose sigma would be infinite."""


class SigmaScheduler(Scheduler, ABC):
    """A scheduler with the sigmas of its timesteps, and 0 after the last."""

    def __init__(self, schedule: NoiseSchedule, steps: int) -> None:
        super().__init__(schedule, steps)
        powers = [max(schedule.alphas_cumprod[timestep].item(), SMALLEST_SIGNAL) for timestep in self.timesteps]
        self.sigmas = (*(math.sqrt((1 - power) / power) for power in powers), 0.0)

    def level(self, index: int) -> SignalAndNoise:
        """Signal and noise before step `index`: sigma, scaled so that a^2 + s^2 = 1."""
        signal = 1 / math.sqrt(self.sigmas[index] ** 2 + 1)
        return SignalAndNoise(signal, self.sigmas[index] * signal)

    def log_snr(self, index: int) -> float:
        """Half the logarithm of the signal-to-noise ratio, log(a / s), before step `index`; infinite after the last step."""
        return -math.log(self.sigmas[index]) if self.sigmas[index] else math.inf
