"""UniPC: a multistep predictor and corrector (arXiv 2302.04867) of second order, B(h) = e^h - 1 (bh2).

h is the width of a step in log(a / s), m the clean latent that the network predicts at its beginning, D1 the difference of the
earlier prediction per share r of the width.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .noise_levels import SigmaScheduler
from .noise_schedule import NoiseSchedule


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step that was taken, for its correction."""

    sample: Tensor
    """At its beginning, corrected."""
    clean: Tensor
    """m, predicted at its beginning."""
    ratio: float | None
    """r of the prediction before, negative; None for a step of first order."""
    difference: Tensor | None
    """D1, None for a step of first order."""


class UniPC(SigmaScheduler):
    """Each prediction first corrects the step that led to its sample. First and last step are of first order."""

    def __init__(self, schedule: NoiseSchedule, steps: int) -> None:
        super().__init__(schedule, steps)
        self._last: _Taken | None = None

    def step(self, index: int, sample: Tensor, prediction: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `Scheduler.step`; no noise is added."""
        clean = self.schedule.clean(sample, prediction, self.level(index))
        if self._last is not None:
            sample = self._corrected(index, self._last, clean)
        self._last = self._begin(index, sample, clean)
        move = self._last.difference
        return self._moved(index, self._last, 0.0 if move is None else 0.5 * move)

    def _begin(self, index: int, sample: Tensor, clean: Tensor) -> _Taken:
        if self._last is None or index == len(self.timesteps) - 1:
            return _Taken(sample, clean, None, None)
        ratio = (self.log_snr(index - 1) - self.log_snr(index)) / self._width(index)
        return _Taken(sample, clean, ratio, (self._last.clean - clean) / ratio)

    def _corrected(self, index: int, taken: _Taken, clean: Tensor) -> Tensor:
        """The sample before step `index`, with the prediction there known."""
        change = clean - taken.clean
        if taken.ratio is None:
            return self._moved(index - 1, taken, 0.5 * change)
        # rho_1 + rho_2 = b_1 and r rho_1 + rho_2 = b_2, with b_k = k! h phi_(k+1)(h) / B(h) (theorem 3.1).
        h = -self._width(index - 1)
        growth = math.expm1(h)
        phi = growth / h - 1
        b_1, b_2 = phi / growth, 2 * (phi / h - 0.5) / growth
        rho_1 = (b_1 - b_2) / (1 - taken.ratio)
        return self._moved(index - 1, taken, rho_1 * taken.difference + (b_1 - rho_1) * change)

    def _moved(self, index: int, taken: _Taken, residual: Tensor | float) -> Tensor:
        """The sample after step `index`: the exact solution for a constant clean latent, and a residual."""
        now, after = self.level(index), self.level(index + 1)
        growth = math.expm1(-self._width(index))
        return after.noise / now.noise * taken.sample - after.signal * growth * (taken.clean + residual)

    def _width(self, index: int) -> float:
        return self.log_snr(index + 1) - self.log_snr(index)
