"""The schedulers by name, and the steps that they can take."""

import functools

from ...errors import InputError
from ..config import DiffusionConfig
from .ddim import DDIM
from .dpm_solver import DPMSolver2M
from .euler import Euler
from .lcm import LCM
from .noise_schedule import NoiseSchedule
from .scheduler import Scheduler, trailing_timesteps
from .unipc import UniPC

SCHEDULERS: dict[str, type[Scheduler]] = {
    "ddim": DDIM,
    "dpm++2m": DPMSolver2M,
    "unipc": UniPC,
    "euler": Euler,
    "lcm": LCM,
}
"""The paper's DDIM first."""
MAX_STEPS = Scheduler.max_steps
"""Of most schedulers; LCM takes fewer."""


def check_steps(steps: int, scheduler: str = "ddim") -> int:
    """Return `steps` if a scheduler can sample with as many.

    Raises:
        InputError: otherwise, and for a name that is not in `SCHEDULERS`.
    """
    most = _scheduler(scheduler).max_steps
    if not 1 <= steps <= most:
        raise InputError(f"steps: got {steps}; expected 1 .. {most} with {scheduler} (the paper uses 40 with ddim)")
    return steps


def make_scheduler(name: str, config: DiffusionConfig, steps: int) -> Scheduler:
    """Build a scheduler for one clip, with steps that `check_steps` allows.

    Raises:
        InputError: for a name that is not in `SCHEDULERS`.
    """
    return _scheduler(name)(NoiseSchedule.of(config), steps)


@functools.cache  # A trainer asks for every sample.
def sampled_timesteps(config: DiffusionConfig) -> tuple[int, ...]:
    """Timesteps that a model samples with by default: DDIM's, noisiest first."""
    return trailing_timesteps(config.train_timesteps, config.steps)


def _scheduler(name: str) -> type[Scheduler]:
    if name not in SCHEDULERS:
        raise InputError(f"scheduler: unknown name {name!r}; choose one of {', '.join(SCHEDULERS)}")
    return SCHEDULERS[name]
