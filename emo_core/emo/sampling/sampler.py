"""One clip: noise -> latents, in the denoising steps of a scheduler.

Shape legend: F frames, C latent channels, H W latent side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .denoiser import Denoiser
from .guidance import GuidedContext
from .schedule import check_steps, make_scheduler


@dataclass(frozen=True, slots=True)
class Step:
    """State after a denoising step, for callbacks."""

    step: int
    """Steps done in this clip."""
    steps: int
    """Steps in a clip."""
    preview: Tensor
    """(F, C, H, W) the clean latents that the model predicts now."""


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
        steps: denoising steps.
        generator: for schedulers that add noise in between (LCM), on the CPU.
        callback: called after every step; raise `Cancelled` (or anything else) in it to stop.

    Returns:
        (1, F, C, H, W) float32 clean latents.
    """
    check_steps(steps, scheduler)
    schedule = make_scheduler(scheduler, denoiser.diffusion)
    schedule.set_timesteps(steps, device=noise.device)
    latents = noise.float() * schedule.init_noise_sigma
    extra = {"generator": generator} if scheduler == "lcm" else {}
    for index, timestep in enumerate(schedule.timesteps):
        scaled = schedule.scale_model_input(latents, timestep)
        current, passes = context.at(index, steps)
        prediction = denoiser(scaled.expand(passes, -1, -1, -1, -1), timestep.expand(passes), current)
        prediction = context.combine(prediction)
        latents = schedule.step(prediction, timestep, latents, return_dict=False, **extra)[0]
        if callback is not None:
            callback(Step(index + 1, steps, denoiser.clean(scaled, prediction, timestep)[0]))
    return latents
