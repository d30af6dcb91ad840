"""One clip: noise -> latents, in the denoising steps of a scheduler.

Shape legend: F frames, C latent channels, H W latent side.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .denoiser import Denoiser
from .guidance import GuidedContext
from .schedule import make_scheduler


@dataclass(frozen=True, slots=True)
class Step:
    """State after a denoising step, for callbacks."""

    step: int
    """Steps done in this clip."""
    steps: int
    """Steps in a clip."""
    predict: Callable[[], Tensor] = field(repr=False, compare=False)
    """Computes `preview`."""

    @property
    def preview(self) -> Tensor:
        """(F, C, H, W) the clean latents that the model predicts now. Computed when it is read."""
        return self.predict()


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    context: GuidedContext,
    noise: Tensor,
    *,
    scheduler: str = "ddim",
    steps: int = 40,
    generator: torch.Generator | None = None,
    callback: Callable[[Step], None] | None = None,
) -> Tensor:
    """Denoise one clip (DDIM with 40 steps is the paper's choice).

    Args:
        denoiser: model and parametrisation.
        context: the clip's conditions with their guidance.
        noise: (1, F, C, H, W) unit normal, on the model's device.
        scheduler: a name in `schedule.SCHEDULERS`.
        steps: denoising steps, as `schedule.check_steps` allows.
        generator: for schedulers that add noise in between (LCM), on the CPU.
        callback: called after every step; raise `Cancelled` (or anything else) in it to stop.

    Returns:
        (1, F, C, H, W) float32 clean latents.
    """
    schedule = make_scheduler(scheduler, denoiser.diffusion, steps)
    latents = schedule.start(noise.float())
    for index, timestep in enumerate(schedule.timesteps):
        scaled = schedule.model_input(latents, index)
        current, passes = context.at(index, steps)
        timesteps = torch.full((passes,), timestep, device=noise.device)
        prediction = context.combine(denoiser(scaled.expand(passes, -1, -1, -1, -1), timesteps, current))
        latents = schedule.step(index, latents, prediction, generator)
        if callback is not None:
            predict = functools.partial(_clean, denoiser, scaled, prediction, timestep, context.guide)
            callback(Step(index + 1, steps, predict))
    return denoiser.restored(latents, context.guide)


def _clean(denoiser: Denoiser, noisy: Tensor, prediction: Tensor, timestep: int, guide: Tensor | None) -> Tensor:
    """(F, C, H, W) the clean latents of the clip."""
    return denoiser.restored(denoiser.clean(noisy, prediction, timestep), guide)[0]
