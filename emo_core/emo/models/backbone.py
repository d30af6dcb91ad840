"""The Backbone: the denoising UNet, with reference, audio, temporal and speed layers (paper section 3.2).

Shape legend: B clips, F frames, M motion frames, C channels, H W latent side.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from ..config import EMOConfig
from .attention import KeyValue, Layers
from .audio_layers import RegionBlock, Regions
from .resnet import ResnetBlock
from .spatial import BackboneBlock, SpatialTransformer
from .temporal import TemporalModule
from .unet import SiteShape, UNet

AudioContext = KeyValue | tuple[KeyValue, ...]
"""For an inline layer, or one for every head of a `RegionBlock`."""


@dataclass(frozen=True, slots=True)
class SiteContext:
    """What one site of the Backbone reads, projected once per clip. None leaves the layer out."""

    reference: KeyValue | None = None
    """B rows; or fewer, where the last clips have no reference."""
    audio: AudioContext | None = None
    """B F rows."""
    motion: Tensor | None = None
    """(B, M, C, H, W); None leaves the whole temporal module out (image stage)."""
    speed: KeyValue | None = None
    """B rows."""
    identity: KeyValue | None = None
    """B rows."""
    regions: Regions | None = None
    """For audio layers that have them."""


@dataclass(frozen=True, slots=True)
class ClipContext:
    """Everything that the Backbone reads besides the noisy latents; computed once, used in every denoising step."""

    sites: tuple[SiteContext, ...]
    """One per site, in running order."""
    face: Tensor | None
    """(B, C0, H, W) the Face Locator's map."""
    without: "ClipContext | None" = None
    """The same clip without any condition, for models whose guidance is joint."""

    def keep(self, *, reference: Tensor | None = None, audio: Tensor | None = None) -> "ClipContext":
        """Drop conditions clip by clip.

        A dropped condition is zero tokens; as the projections have no bias, its keys and values are zeros too.

        Args:
            reference: (B,) 1 to keep, 0 to drop.
            audio: (B,) likewise.
        """
        sites = tuple(
            replace(site, reference=_keep(site.reference, reference), audio=_keep(site.audio, audio))
            for site in self.sites
        )
        return replace(self, sites=sites)

    @staticmethod
    def cat(parts: list["ClipContext"]) -> "ClipContext":
        """Join along the batch, so that several guidance passes run as one."""
        sites = tuple(
            SiteContext(**{f.name: _cat([getattr(site, f.name) for site in same]) for f in fields(SiteContext)})
            for same in zip(*(part.sites for part in parts), strict=True)
        )
        return replace(parts[0], sites=sites, face=_cat([part.face for part in parts]), without=None)


def _keep(context: AudioContext | None, keep: Tensor | None) -> AudioContext | None:
    if context is None or keep is None:
        return context
    if isinstance(context, tuple):
        return tuple(_keep(part, keep) for part in context)
    rows = repeat(keep.to(context.k), "b -> (b f) 1 1 1", f=len(context.k) // len(keep))
    return KeyValue(context.k * rows, context.v * rows)


def _cat(parts: list) -> Any:
    """Join; what the last ones have not is left out."""
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    if isinstance(parts[0], tuple):
        return tuple(KeyValue.cat(list(same)) for same in zip(*parts, strict=True))
    return torch.cat(parts) if isinstance(parts[0], Tensor) else type(parts[0]).cat(parts)


class BackboneSite(nn.Module):
    """Residual block -> spatial transformer -> region transformer (some peers) -> temporal module."""

    def __init__(self, shape: SiteShape, config: EMOConfig, *, ops: Layers = nn) -> None:
        super().__init__()
        unet, width, token_width = config.unet, shape.width, config.audio.token_width
        self.resnet = ResnetBlock(shape.channels, width, 4 * unet.widths[0], unet.groups, ops=ops)
        self.level = shape.level
        self.spatial: SpatialTransformer | None = None
        self.regions: SpatialTransformer | None = None
        self.temporal: TemporalModule | None = None
        if shape.attention:
            self.spatial = SpatialTransformer(width, unet.groups, BackboneBlock(config, width, ops=ops), ops=ops)
        if shape.attention and config.block.audio == "regions":
            block = RegionBlock(shape.entry, unet.heads, token_width, ops=ops)
            self.regions = SpatialTransformer(width, unet.groups, block, inner=shape.entry, ops=ops)
        if config.temporal.everywhere or shape.attention:
            self.temporal = TemporalModule(
                width, unet.heads, unet.groups, config.temporal.max_positions, config.speed, ops=ops
            )

    def forward(self, x: Tensor, time: Tensor, context: SiteContext) -> tuple[Tensor, None]:
        """(B F, C, H, W) to the next feature map."""
        x = self.resnet(x, time)
        if self.spatial is not None:
            inline = None if self.regions is not None else context.audio
            tokens = self.spatial.block(self.spatial.tokens(x), context.reference, inline, context.identity)
            x = self.spatial.picture(tokens, x)
        if self.regions is not None and context.audio is not None:
            tokens = self.regions.block(self.regions.tokens(x), context.audio, context.regions)
            x = self.regions.picture(tokens, x)
        if self.temporal is not None and context.motion is not None:
            x = self.temporal(x, context.motion, context.speed)
        return x, None


class Backbone(UNet):
    """The skeleton with `BackboneSite`s and SD 1.5's output convolution."""

    def __init__(self, config: EMOConfig, *, ops: Layers = nn) -> None:
        super().__init__(config.unet, lambda shape: BackboneSite(shape, config, ops=ops), ops=ops)
        first = config.unet.widths[0]
        self.conv_norm_out = ops.GroupNorm(config.unet.groups, first, eps=1e-5)
        self.conv_out = ops.Conv2d(first, config.unet.latent_channels, 3, padding=1)

    def contexts(self, build: Callable[[int, BackboneSite], SiteContext]) -> tuple[SiteContext, ...]:
        """One `SiteContext` per site, in running order."""
        return tuple(build(index, site) for index, site in enumerate(self.sites))

    def denoise(self, noisy: Tensor, timesteps: Tensor, context: ClipContext) -> Tensor:
        """Predict (epsilon or v) for all frames at once.

        Args:
            noisy: (B, F, C, H, W).
            timesteps: (B,).
            context: the clip's conditions.

        Returns:
            (B, F, C, H, W)
        """
        frames = noisy.shape[1]
        times = repeat(timesteps, "b -> (b f)", f=frames)
        face = None if context.face is None else repeat(context.face, "b c h w -> (b f) c h w", f=frames)
        x, _ = self(rearrange(noisy, "b f c h w -> (b f) c h w"), times, context.sites, face)
        x = self.conv_out(functional.silu(self.conv_norm_out(x)))
        return rearrange(x, "(b f) c h w -> b f c h w", f=frames)
