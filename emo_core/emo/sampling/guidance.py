"""Classifier-free guidance as a sum of guiders, each free if its scale is 1.

    e = e(all) + sum over guiders of (s - 1) [e(all) - e(all but the guider's condition)]

For reference and audio: e = e(r, a) + (s_r - 1) [e(r, a) - e(-, a)] + (s_a - 1) [e(r, a) - e(r, -)]; an emotion adds a term of its
own. A condition that a clip does not have needs no guider. A peer's joint guidance is
one guider that drops every condition. With one guider this is classifier-free guidance (arXiv 2207.12598). Inside the step
interval all passes run as one batch; outside it (arXiv 2404.07724) only e(all) does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import InputError
from ..conditions.table import conditions_of
from ..config import EMOConfig
from ..models.context import ClipContext

MAX_SCALE = 100.0


@dataclass(frozen=True, slots=True)
class Guider:
    """Guidance for one condition: the other pass leaves it out."""

    condition: str
    scale: float

    def __post_init__(self) -> None:
        if not 0 <= self.scale <= MAX_SCALE:
            raise InputError(
                f"{self.condition.replace('_', ' ')} scale: got {self.scale}; expected 0 .. {MAX_SCALE:g} (1 is off)"
            )

    def acts(self, context: ClipContext) -> bool:
        """Whether the other pass differs."""
        return context.has(self.condition)

    def without(self, context: ClipContext) -> ClipContext:
        """The context of the other pass."""
        return context.keep(**{self.condition: torch.zeros(1)})

    def delta(self, prediction: Tensor, without: Tensor) -> Tensor:
        """The guider's share of the guided prediction."""
        return (self.scale - 1) * (prediction - without)


@dataclass(frozen=True, slots=True)
class JointGuider(Guider):
    """Guidance for all conditions at once (Hallo)."""

    condition: str = "audio"
    scale: float = 1.0

    def acts(self, context: ClipContext) -> bool:
        return True

    def without(self, context: ClipContext) -> ClipContext:
        """The pass without any condition."""
        return context.without


@dataclass(frozen=True, slots=True)
class Guidance:
    """The guiders that act, and the step interval."""

    guiders: tuple[Guider, ...] = ()
    start: float = 0.0
    """Guidance begins at this share of the steps."""
    end: float = 1.0
    """Guidance ends at this share of the steps."""

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end <= 1:
            raise InputError(f"guidance interval: got {self.start} .. {self.end}; expected 0 <= start <= end <= 1")

    @classmethod
    def of(cls, *, start: float = 0.0, end: float = 1.0, **scales: float) -> "Guidance":
        """Separate guidance by condition, such as `Guidance.of(audio=2.0)`; a scale of 1 needs no guider."""
        guiders = tuple(Guider(condition, scale) for condition, scale in scales.items())
        return cls(tuple(guider for guider in guiders if guider.scale != 1.0), start, end)

    @classmethod
    def for_model(
        cls, config: EMOConfig, scales: Mapping[str, float | None], interval: tuple[float, float] = (0.0, 1.0)
    ) -> "Guidance":
        """A model's own guidance.

        Args:
            config: the model's.
            scales: by condition; missing or None is the checkpoint's own.
            interval: shares of the steps.
        """
        guided = [condition for condition in conditions_of(config) if condition.guided]
        chosen = {c.name: c.default_scale(config) if scales.get(c.name) is None else scales[c.name] for c in guided}
        separate = cls.of(start=interval[0], end=interval[1], **chosen)
        if config.diffusion.guidance != "joint":
            return separate
        guiders = (JointGuider(scale=chosen["audio"]),) if chosen["audio"] != 1.0 else ()
        return cls(guiders, *interval)

    @property
    def passes(self) -> int:
        """Backbone passes in a guided step."""
        return 1 + len(self.guiders)

    def active(self, step: int, steps: int) -> bool:
        """Whether step (from 0) of steps is inside the interval."""
        return self.start <= step / steps < self.end


class GuidedContext:
    """A clip's context with the contexts of its guiders, joined; built once per clip."""

    def __init__(self, context: ClipContext, guidance: Guidance) -> None:
        guiders = tuple(guider for guider in guidance.guiders if guider.acts(context))
        self.guidance = replace(guidance, guiders=guiders)
        self._full = context
        others = [guider.without(context) for guider in guiders]
        self._joined = ClipContext.cat([context, *others]) if others else context

    @property
    def guide(self) -> Tensor | None:
        """See `ClipContext.guide`."""
        return self._full.guide

    @property
    def passes(self) -> int:
        """See `Guidance.passes`."""
        return self.guidance.passes

    def at(self, step: int, steps: int) -> tuple[ClipContext, int]:
        """The context for this step, and the number of passes, each of which takes a copy of the latents."""
        if self.passes > 1 and self.guidance.active(step, steps):
            return self._joined, self.passes
        return self._full, 1

    def combine(self, prediction: Tensor) -> Tensor:
        """(passes, F, C, H, W), or one pass, to the guided (1, F, C, H, W)."""
        full, *others = prediction.split(1)
        guiders = self.guidance.guiders[: len(others)]
        deltas = (guider.delta(full, other) for guider, other in zip(guiders, others, strict=True))
        return full + sum(deltas, torch.zeros_like(full))
