"""diffusers' schedulers, by name, on a model's own noise schedule."""

from typing import Any

from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from ..config import DiffusionConfig
from ..errors import InputError

SCHEDULERS: dict[str, Any] = {
    "ddim": (DDIMScheduler, {"clip_sample": False}),
    "dpm++2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": (UniPCMultistepScheduler, {}),
    "euler": (EulerDiscreteScheduler, {}),
    "lcm": (LCMScheduler, {"clip_sample": False}),
}
"""The paper's DDIM first; what each needs beyond the model's schedule."""


def make_scheduler(name: str, config: DiffusionConfig) -> Any:
    """Build a scheduler for one clip (multistep ones remember earlier steps, so they are never shared).

    Raises:
        InputError: for a name that is not in `SCHEDULERS`.
    """
    if name not in SCHEDULERS:
        raise InputError(f"scheduler: unknown name {name!r}; choose one of {', '.join(SCHEDULERS)}")
    kind, options = SCHEDULERS[name]
    return kind(**_betas(config), **options, **_spacing(name, config))


def training_schedule(config: DiffusionConfig) -> DDPMScheduler:
    """The schedule as the trainer uses it: all T timesteps."""
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


def _spacing(name: str, config: DiffusionConfig) -> dict[str, Any]:
    """Which timesteps are visited: from pure noise on where training had it, else as SD 1.5's own scheduler does."""
    if name == "lcm":
        return {}  # It picks among the steps that it was distilled at.
    if config.zero_terminal_snr:
        return {"timestep_spacing": "trailing"}
    last = {"set_alpha_to_one": False} if name == "ddim" else {}
    return {"timestep_spacing": "leading", "steps_offset": 1, **last}
