"""How a portrait reaches the Backbone: the paper's way here, a peer's in `peers/`.

Shape legend: B clips, M motion frames, P = 1 + M pictures, N tokens, C channels, H W latent side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from ..conditions.clip import Conditions
from ..config import EMOConfig
from .attention import Layers
from .reference_net import ReferenceBlocks, ReferenceNet, SiteFeatures
from .spatial import BackboneBlock, ReferenceBlock, SpatialTransformer
from .unet import SiteShape


@dataclass(frozen=True, slots=True)
class References:
    """ReferenceNet's results for a batch of clips, per site."""

    tokens: list[Tensor | None]
    """(B, N, C); a peer may give several rows per clip."""
    motion: list[Tensor | None]
    """(B, M, C, H, W) maps of the motion frames; None leaves the temporal modules out."""
    motion_without: list[Tensor | None]
    """The same for the pass without conditions (joint guidance)."""


class ReferencePolicy(ReferenceBlocks, Protocol):
    """The blocks of a model, and how ReferenceNet is run for them."""

    def backbone_block(self, config: EMOConfig, width: int, ops: Layers) -> nn.Module:
        """A transformer block with `reference_keys_values(tokens)` and `forward(x, context)`."""
        ...

    def audio_transformer(self, config: EMOConfig, shape: SiteShape, ops: Layers) -> SpatialTransformer | None:
        """A second transformer of a site for the audio, if the model has one."""
        ...

    def references(
        self, net: ReferenceNet, conditions: Conditions, features: Mapping[str, Tensor], without: Mapping[str, Tensor]
    ) -> References:
        """Run ReferenceNet over the portrait and the motion frames.

        Args:
            net: the network.
            conditions: with `reference` and the motion frames.
            features: of the other conditions, encoded.
            without: features of the dropped conditions, for joint guidance.
        """
        ...


class PaperPolicy:
    """Section 3.2: reference-attention after self-attention, both of the paper's blocks, one pass over 1 + M pictures."""

    maps_are_tokens = False

    def backbone_block(self, config: EMOConfig, width: int, ops: Layers) -> nn.Module:
        return BackboneBlock(config, width, ops=ops)

    def reference_block(self, config: EMOConfig, width: int, ops: Layers) -> nn.Module:
        return ReferenceBlock(config, width, ops=ops)

    def audio_transformer(self, config: EMOConfig, shape: SiteShape, ops: Layers) -> None:
        return None

    def references(
        self, net: ReferenceNet, conditions: Conditions, features: Mapping[str, Tensor], without: Mapping[str, Tensor]
    ) -> References:
        motion, known = conditions.motion, conditions.motion_known
        pictures = conditions["reference"][:, None]
        with_motion = motion is not None and (known is None or bool(known.any()))
        if with_motion:
            pictures = torch.cat([pictures, motion], dim=1)
        count = pictures.shape[1]
        sites = net.features(rearrange(pictures, "b p c h w -> (b p) c h w"))
        tokens = [None if site.tokens is None else site.tokens[::count] for site in sites]
        if motion is None:
            maps = [None] * len(sites)
        elif not with_motion:
            maps = [_zero_maps(site, motion.shape[1]) for site in sites]
        else:
            maps = [_motion_maps(site, count, known) for site in sites]
        return References(tokens, maps, maps)


def _zero_maps(features: SiteFeatures, count: int) -> Tensor:
    batch, *shape = features.stream.shape
    return features.stream.new_zeros(batch, count, *shape)


def _motion_maps(features: SiteFeatures, per_clip: int, known: Tensor | None) -> Tensor:
    maps = rearrange(features.stream, "(b p) c h w -> b p c h w", p=per_clip)[:, 1:]
    return maps if known is None else maps * known.to(maps)[:, None, None, None, None]
