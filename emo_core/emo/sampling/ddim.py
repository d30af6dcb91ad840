"""DDIM (arXiv 2010.02502, equation 12) without added noise: the paper's sampler."""

import torch
from torch import Tensor

from .noise_schedule import SignalAndNoise
from .scheduler import Scheduler

CLEAN = SignalAndNoise(1.0, 0.0)


class DDIM(Scheduler):
    """x_next = a_next x_0 + s_next e.

    The next timestep is the present one less T // steps, as in diffusers. Where steps does not divide T, this is a little
    more than the next one in `timesteps`, and the last step may end at timestep 0 instead of the clean latent.
    """

    def step(self, index: int, sample: Tensor, prediction: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Scheduler.step`; no noise is added."""
        level = self.schedule.at(self.timesteps[index])
        clean = self.schedule.clean(sample, prediction, level)
        noise = self.schedule.noise(sample, prediction, level)
        after = self._after(self.timesteps[index])
        return after.signal * clean + after.noise * noise

    def _after(self, timestep: int) -> SignalAndNoise:
        following = timestep - len(self.schedule.alphas_cumprod) // len(self.timesteps)
        return self.schedule.at(following) if following >= 0 else CLEAN
