"""Everything that the Backbone reads besides the noisy latents, computed once per clip.

Shape legend: B clips, F frames, M motion frames, C channels, H W latent side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from einops import repeat
from torch import Tensor

from .attention import KeyValue


@dataclass(frozen=True, slots=True)
class SiteContext:
    """The inputs of one site of the Backbone. A condition that is missing leaves its layer out."""

    motion: Tensor | None = None
    """(B, M, C, H, W) maps of the motion frames; None leaves the whole temporal module out (image stage)."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """By condition: keys and values of B or B F rows (a tuple of them for layers with several heads), a tensor of such rows
    (R, 1, C), or a peer's own."""

    def __getitem__(self, condition: str) -> Any:
        return self.values.get(condition)


@dataclass(frozen=True, slots=True)
class ClipContext:
    """The inputs of all sites, used in every denoising step."""

    sites: tuple[SiteContext, ...] = ()
    """One per site, in running order."""
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    """By condition: (B, C0, H, W), or (B, F, C0, H, W) for maps of every frame, or a shape that broadcasts to one of them, added after
    the Backbone's first convolution."""
    guide: Tensor | None = None
    """(B, F or 1, C, H, W) latents whose residual is denoised; None: the latents themselves are."""
    without: "ClipContext | None" = None
    """The same clip without any condition, for models with joint guidance."""

    @property
    def added(self) -> Tensor | None:
        """The sum of all maps, (B, F or 1, C0, H, W) or a shape that broadcasts to it."""
        maps = [value if value.ndim == 5 else value[:, None] for value in self.maps.values()]
        return sum(maps[1:], maps[0]) if maps else None

    def keep(self, **keep: Tensor | None) -> "ClipContext":
        """Drop conditions clip by clip.

        A dropped condition is zero tokens. The projections have no bias, so its keys, values and rows are zeros too.

        Args:
            keep: by condition: (B,) 1 to keep, 0 to drop; None keeps all.
        """
        sites = tuple(replace(site, values=_kept(site.values, keep, _scaled_rows)) for site in self.sites)
        return replace(self, sites=sites, maps=_kept(self.maps, keep, _scaled_map))

    def with_unconditional(self, without: "ClipContext") -> "ClipContext":
        """With the same clip without any condition."""
        return replace(self, without=without)

    def has(self, condition: str) -> bool:
        """Whether a condition acts at some site, or as a map."""
        return condition in self.maps or any(condition in site.values for site in self.sites)

    @staticmethod
    def cat(parts: list["ClipContext"]) -> "ClipContext":
        """Join along the batch, so that several guidance passes run as one."""
        sites = tuple(
            SiteContext(_cat([site.motion for site in same]), _cat_values([site.values for site in same]))
            for same in zip(*(part.sites for part in parts), strict=True)
        )
        return ClipContext(sites, _cat_values([part.maps for part in parts]))


def _kept(values: Mapping[str, Any], keep: Mapping[str, Tensor | None], scale: Callable) -> dict[str, Any]:
    return {name: value if keep.get(name) is None else scale(value, keep[name]) for name, value in values.items()}


def _scaled_rows(value: Any, keep: Tensor) -> Any:
    if isinstance(value, tuple):
        return tuple(_scaled_rows(part, keep) for part in value)
    if isinstance(value, Tensor):
        return value * repeat(keep.to(value), "b -> (b f) 1 1", f=len(value) // len(keep))
    rows = repeat(keep.to(value.k), "b -> (b f) 1 1 1", f=len(value.k) // len(keep))
    return KeyValue(value.k * rows, value.v * rows)


def _scaled_map(value: Tensor, keep: Tensor) -> Tensor:
    return value * keep.to(value).view(-1, *(1 for _ in value.shape[1:]))


def _cat_values(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _cat([part.get(name) for part in parts]) for name in names}


def _cat(parts: list) -> Any:
    """Join the parts that are there: the last clips may have no reference."""
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    if isinstance(parts[0], tuple):
        return tuple(KeyValue.cat(list(same)) for same in zip(*parts, strict=True))
    return torch.cat(parts) if isinstance(parts[0], Tensor) else type(parts[0]).cat(parts)
