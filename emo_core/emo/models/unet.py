"""The SD 1.5 UNet skeleton that ReferenceNet and the Backbone share.

A *site* is one residual block with the modules after it (spatial transformer, temporal module). The skeleton knows only the
order of the sites, their skips and samplers; the owner of the skeleton builds the sites.

Shape legend: B pictures (clips x frames in the Backbone), C channels, H W latent side, E width of the time embedding.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from ..config import UNetConfig
from .attention import TORCH, Layers
from .resnet import Downsample, ResnetBlock, TimeEmbedding, Upsample


@dataclass(frozen=True, slots=True)
class SiteShape:
    """Shape of a site, from which its owner builds it."""

    channels: int
    """Channels that come in, the skip's included."""
    width: int
    """Channels that go out."""
    attention: bool
    """Whether the site has a spatial transformer."""
    level: int
    """0 is the finest."""
    entry: int
    """Channels at the entry of the level's block, on whose way down or up the site lies."""


class UNet(nn.Module):
    """Convolution in, down levels, middle, up levels; the output convolution is the Backbone's own."""

    def __init__(self, config: UNetConfig, site: Callable[[SiteShape], nn.Module], *, ops: Layers = TORCH) -> None:
        super().__init__()
        first, last, time_width = config.widths[0], config.widths[-1], 4 * config.widths[0]
        self.gradient_checkpointing = False
        self.conv_in = ops.Conv2d(config.latent_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, ops=ops)
        self.down, skips = self._down(config, site, ops)
        self.mid_site = site(SiteShape(last, last, True, len(config.widths) - 1, last))
        self.mid_resnet = ResnetBlock(last, last, time_width, config.groups, ops=ops)
        self.up = self._up(config, site, skips, ops)

    @staticmethod
    def _down(
        config: UNetConfig, site: Callable[[SiteShape], nn.Module], ops: Layers
    ) -> tuple[nn.ModuleList, list[int]]:
        levels, skips, channels = nn.ModuleList(), [config.widths[0]], config.widths[0]
        for level, (width, attention) in enumerate(zip(config.widths, config.attention, strict=True)):
            sites = nn.ModuleList()
            for _ in range(config.layers_per_block):
                sites.append(site(SiteShape(channels, width, attention, level, channels)))
                skips.append(width)
                channels = width
            has_sampler = level < len(config.widths) - 1
            levels.append(nn.ModuleDict({"sites": sites}))
            if has_sampler:
                levels[-1]["sampler"] = Downsample(width, ops=ops)
                skips.append(width)
        return levels, skips

    @staticmethod
    def _up(config: UNetConfig, site: Callable[[SiteShape], nn.Module], skips: list[int], ops: Layers) -> nn.ModuleList:
        levels, channels, skips = nn.ModuleList(), config.widths[-1], list(skips)
        for level in reversed(range(len(config.widths))):
            width, sites = config.widths[level], nn.ModuleList()
            for _ in range(config.layers_per_block + 1):
                finer = config.widths[max(level - 1, 0)]
                sites.append(site(SiteShape(channels + skips.pop(), width, config.attention[level], level, finer)))
                channels = width
            levels.append(nn.ModuleDict({"sites": sites}))
            if level > 0:
                levels[-1]["sampler"] = Upsample(width, ops=ops)
        return levels

    @property
    def sites(self) -> list[nn.Module]:
        """Every site, in the order in which they run."""
        down = [site for level in self.down for site in level["sites"]]
        up = [site for level in self.up for site in level["sites"]]
        return [*down, self.mid_site, *up]

    def forward(
        self, x: Tensor, timesteps: Tensor, contexts: Sequence[Any], added: Tensor | None = None
    ) -> tuple[Tensor, list[Any]]:
        """Run the skeleton.

        Args:
            x: (B, C, H, W) latents.
            timesteps: (B,).
            contexts: the input of each site, in the order of `sites`.
            added: (B, first width, H, W), added after the first convolution.

        Returns:
            (B, first width, H, W), and the second output of each site, in the same order.
        """
        time = self.time_embedding(timesteps)
        x = self.conv_in(x)
        if added is not None:
            x = x + added
        inputs, features, skips = iter(contexts), [], [x]
        for level in self.down:
            for site in level["sites"]:
                x = self._run(site, x, time, next(inputs), features)
                skips.append(x)
            if "sampler" in level:
                x = level["sampler"](x)
                skips.append(x)
        x = self._run(self.mid_site, x, time, next(inputs), features)
        x = self.mid_resnet(x, time)
        for level in self.up:
            for site in level["sites"]:
                x = self._run(site, torch.cat([x, skips.pop()], dim=1), time, next(inputs), features)
            if "sampler" in level:
                x = level["sampler"](x)
        return x, features

    def _run(self, site: nn.Module, x: Tensor, time: Tensor, context: Any, features: list[Any]) -> Tensor:
        if self.gradient_checkpointing and torch.is_grad_enabled():
            x, feature = checkpoint(site, x, time, context, use_reentrant=False, context_fn=_same_attention)
        else:
            x, feature = site(x, time, context)
        features.append(feature)
        return x


def _same_attention() -> tuple[AbstractContextManager, AbstractContextManager]:
    """Contexts of a forward pass and of its recomputation: the caller's choice of attention kernels may be over by then."""
    chosen = {
        SDPBackend.FLASH_ATTENTION: torch.backends.cuda.flash_sdp_enabled(),
        SDPBackend.EFFICIENT_ATTENTION: torch.backends.cuda.mem_efficient_sdp_enabled(),
        SDPBackend.CUDNN_ATTENTION: torch.backends.cuda.cudnn_sdp_enabled(),
        SDPBackend.MATH: torch.backends.cuda.math_sdp_enabled(),
    }
    return nullcontext(), sdpa_kernel([backend for backend, on in chosen.items() if on])
