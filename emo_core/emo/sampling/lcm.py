"""Multistep sampling of latent consistency models (arXiv 2310.04378)."""

import torch
from torch import Tensor

from .scheduler import Scheduler

DISTILLED_STEPS = 50
"""DDIM steps that consistency models are distilled with; sampling picks some of their timesteps."""
SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10.0


class LCM(Scheduler):
    """Each step predicts the clean latent, and adds fresh noise for the next timestep."""

    max_steps = DISTILLED_STEPS

    @staticmethod
    def choose_timesteps(total: int, steps: int) -> tuple[int, ...]:
        """Evenly chosen timesteps of the distillation, noisiest first."""
        stride = total // DISTILLED_STEPS
        places = [index * DISTILLED_STEPS // steps for index in range(steps)]
        return tuple((DISTILLED_STEPS - place) * stride - 1 for place in places)

    def step(self, index: int, sample: Tensor, prediction: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Scheduler.step`; the last step adds no noise."""
        timestep = self.timesteps[index]
        clean = self.schedule.clean(sample, prediction, self.schedule.at(timestep))
        # The boundary condition of consistency functions (arXiv 2303.01469, appendix C).
        scaled = timestep * TIMESTEP_SCALING
        skip = SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2)
        out = scaled / (scaled**2 + SIGMA_DATA**2) ** 0.5
        denoised = out * clean + skip * sample
        if index == len(self.timesteps) - 1:
            return denoised
        after = self.schedule.at(self.timesteps[index + 1])
        noise = torch.randn(sample.shape, generator=generator, dtype=sample.dtype).to(sample.device)
        return after.signal * denoised + after.noise * noise
