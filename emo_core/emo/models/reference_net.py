"""ReferenceNet: the reference picture and the motion frames, once per clip, to features for the Backbone.

Paper section 3.2: the same UNet as the Backbone, without temporal and audio layers, and with the same initial weights.

Shape legend: B pictures, C channels, H W latent side, N = H * W tokens.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from ..config import EMOConfig
from .attention import TORCH, Layers
from .resnet import ResnetBlock
from .spatial import SpatialTransformer
from .unet import SiteShape, UNet


@dataclass(frozen=True, slots=True)
class SiteFeatures:
    """ReferenceNet's results at one site."""

    tokens: Tensor | None
    """(B, N, C) self-attention's output (a peer: its input), for the Backbone's attention to the reference; None
    where the site has no spatial transformer."""
    stream: Tensor
    """(B, C, H, W) for motion frames: the feature map where the Backbone has its temporal module (or the tokens' map)."""


class ReferenceBlocks(Protocol):
    """The transformer blocks of a model's ReferenceNet; a part of `ReferencePolicy`."""

    maps_are_tokens: bool
    """Whether motion maps are the reference's tokens instead of the feature map."""

    def reference_block(self, config: EMOConfig, width: int, ops: Layers) -> nn.Module:
        """A transformer block with `forward(x, identity) -> (x, tokens)`."""
        ...


class ReferenceSite(nn.Module):
    """Residual block, then self-attention where the level has it."""

    def __init__(self, shape: SiteShape, config: EMOConfig, policy: ReferenceBlocks, *, ops: Layers = TORCH) -> None:
        super().__init__()
        unet = config.unet
        self.resnet = ResnetBlock(shape.channels, shape.width, 4 * unet.widths[0], unet.groups, ops=ops)
        self._maps_are_tokens = policy.maps_are_tokens
        if shape.attention:
            block = policy.reference_block(config, shape.width, ops)
            self.spatial = SpatialTransformer(shape.width, unet.groups, block, ops=ops)
        else:
            self.spatial = None

    def forward(self, x: Tensor, time: Tensor, identity: Tensor | None) -> tuple[Tensor, SiteFeatures]:
        """(B, C, H, W) to the next map and this site's features."""
        x = self.resnet(x, time)
        if self.spatial is None:
            return x, SiteFeatures(None, x)
        out, tokens = self.spatial.block(self.spatial.tokens(x), identity)
        x = self.spatial.picture(out, x)
        stream = rearrange(tokens, "b (h w) c -> b c h w", h=x.shape[2]) if self._maps_are_tokens else x
        return x, SiteFeatures(tokens, stream)


class ReferenceNet(UNet):
    """The skeleton with `ReferenceSite`s, at timestep 0; it returns its features and keeps nothing."""

    def __init__(self, config: EMOConfig, policy: ReferenceBlocks, *, ops: Layers = TORCH) -> None:
        super().__init__(config.unet, lambda shape: ReferenceSite(shape, config, policy, ops=ops), ops=ops)

    def features(self, latents: Tensor, identity: Tensor | None = None) -> list[SiteFeatures]:
        """Encode clean latents (B, C, H, W), with identity tokens (B, T, D) where the model has them.

        Returns:
            One `SiteFeatures` per site.
        """
        timesteps = torch.zeros(len(latents), device=latents.device)
        return self(latents, timesteps, [identity] * len(self.sites))[1]
