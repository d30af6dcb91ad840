"""Classifier-free guidance for reference and audio apart, each free when its scale is 1.

    e = e(r, a) + (s_r - 1) [e(r, a) - e(-, a)] + (s_a - 1) [e(r, a) - e(r, -)]

Models whose guidance is joint have one pass without any condition instead: e = e(r, a) + (s_a - 1) [e(r, a) - e(-, -)].

With one scale at 1 this is classifier-free guidance for the other (arXiv 2207.12598). Inside the step interval the passes
run as one batch; outside it (arXiv 2404.07724) only e(r, a) does.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ..models.backbone import ClipContext

MAX_SCALE = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How strongly the conditions are followed."""

    reference: float = 1.0
    """s_r: 1 is off."""
    audio: float = 1.0
    """s_a: 1 is off."""
    start: float = 0.0
    """Guidance begins at this share of the steps."""
    end: float = 1.0
    """And ends at this share."""

    def __post_init__(self) -> None:
        for name, scale in (("reference", self.reference), ("audio", self.audio)):
            if not 0 <= scale <= MAX_SCALE:
                raise InputError(f"{name} scale: got {scale}; expected 0 .. {MAX_SCALE:g} (1 is off)")
        if not 0 <= self.start <= self.end <= 1:
            raise InputError(f"guidance interval: got {self.start} .. {self.end}; expected 0 <= start <= end <= 1")

    def passes(self, *, joint: bool) -> int:
        """Backbone passes in a guided step: 1, 2 or 3; a joint guidance has one pass without conditions."""
        return 1 + (self.audio != 1.0) + (self.reference != 1.0 and not joint)

    def active(self, step: int, steps: int) -> bool:
        """Whether step (from 0) of steps is inside the interval."""
        return self.start <= step / steps < self.end


class GuidedContext:
    """A clip's context, with the dropped passes that a guidance needs; built once per clip."""

    def __init__(self, context: ClipContext, guidance: Guidance) -> None:
        self.guidance = guidance
        self._full = context
        zero = torch.zeros(1)
        passes, self._scales = [context], []
        if context.without is not None:
            if guidance.audio != 1.0:
                passes.append(context.without)
                self._scales.append(guidance.audio)
        elif guidance.reference != 1.0:
            passes.append(context.keep(reference=zero))
            self._scales.append(guidance.reference)
        if context.without is None and guidance.audio != 1.0:
            passes.append(context.keep(audio=zero))
            self._scales.append(guidance.audio)
        self._joined = ClipContext.cat(passes) if self._scales else context

    @property
    def passes(self) -> int:
        """See `Guidance.passes`."""
        return self.guidance.passes(joint=self._full.without is not None)

    def at(self, step: int, steps: int) -> tuple[ClipContext, int]:
        """The context for this step, and how many copies of the latents it wants."""
        if self.passes > 1 and self.guidance.active(step, steps):
            return self._joined, self.passes
        return self._full, 1

    def combine(self, prediction: Tensor) -> Tensor:
        """(passes, F, C, H, W), or one pass, to the guided (1, F, C, H, W)."""
        full, *dropped = prediction.split(1)
        scales = self._scales[: len(dropped)]
        return full + sum(
            ((s - 1) * (full - other) for s, other in zip(scales, dropped, strict=True)), torch.zeros_like(full)
        )
