"""diffusers' schedulers, by name, on a model's own noise schedule."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ..config import DiffusionConfig

if TYPE_CHECKING:
    from diffusers import DDPMScheduler

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "dpm++2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {"clip_sample": False}),
}
"""diffusers' class by name, with its options beside the model's schedule; the paper's DDIM first. Classes are named as text, so
that menus list them without the second that importing diffusers takes."""


SCHEDULER_MAX_STEPS = {"lcm": 50}
"""For schedulers with fewer than `MAX_STEPS`."""
MAX_STEPS = 200
"""Above this, rounding of timesteps costs more than the finer steps gain."""


def check_steps(steps: int, scheduler: str = "ddim") -> int:
    """Return `steps` if a scheduler can sample with as many.

    Raises:
        InputError: otherwise.
    """
    most = SCHEDULER_MAX_STEPS.get(scheduler, MAX_STEPS)
    if not 1 <= steps <= most:
        raise InputError(f"steps: got {steps}; expected 1 .. {most} with {scheduler} (the paper uses 40 with ddim)")
    return steps


def make_scheduler(name: str, config: DiffusionConfig) -> Any:
    """Build a scheduler for one clip (multistep ones remember earlier steps, so they are never shared).

    Raises:
        InputError: for a name that is not in `SCHEDULERS`.
    """
    if name not in SCHEDULERS:
        raise InputError(f"scheduler: unknown name {name!r}; choose one of {', '.join(SCHEDULERS)}")
    import diffusers

    kind, options = SCHEDULERS[name]
    # LCM picks among the steps that it was distilled at; all others start at the noisiest timestep.
    spacing = {} if name == "lcm" else {"timestep_spacing": "trailing"}
    return getattr(diffusers, kind)(**_betas(config), **options, **spacing)


@functools.cache  # A trainer asks for every sample.
def sampled_timesteps(config: DiffusionConfig) -> tuple[int, ...]:
    """Timesteps that a model samples with by default: DDIM's, noisiest first."""
    scheduler = make_scheduler("ddim", config)
    scheduler.set_timesteps(config.steps)
    return tuple(scheduler.timesteps.tolist())


def training_schedule(config: DiffusionConfig) -> DDPMScheduler:
    """The schedule as the trainer uses it: all T timesteps."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(**_betas(config), clip_sample=False)


def _betas(config: DiffusionConfig) -> dict[str, Any]:
    return {
        "num_train_timesteps": config.train_timesteps,
        "beta_start": config.beta_start,
        "beta_end": config.beta_end,
        "beta_schedule": config.beta_schedule,
        "prediction_type": config.prediction,
        "rescale_betas_zero_snr": config.zero_terminal_snr,
    }
