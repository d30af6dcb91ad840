"""ReferenceNet: the reference picture and the motion frames, once per clip, to features for the Backbone.

Paper section 3.2: the same UNet as the Backbone, without temporal and audio layers, and with the same initial weights.

Shape legend: B pictures, C channels, H W latent side, N = H * W tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..config import UNetConfig
from .attention import Layers
from .resnet import ResnetBlock
from .spatial import ReferenceBlock, SpatialTransformer
from .unet import SiteShape, UNet


@dataclass(frozen=True, slots=True)
class SiteFeatures:
    """What ReferenceNet returns at one site."""

    tokens: Tensor | None
    """(B, N, C) self-attention output, for reference-attention; None where the site has no spatial transformer."""
    stream: Tensor
    """(B, C, H, W) the feature map where the Backbone has its temporal module, for motion frames."""


class ReferenceSite(nn.Module):
    """Residual block, then self-attention where the level has it."""

    def __init__(self, shape: SiteShape, config: UNetConfig, *, ops: Layers = nn) -> None:
        super().__init__()
        self.resnet = ResnetBlock(shape.channels, shape.width, 4 * config.widths[0], config.groups, ops=ops)
        if shape.attention:
            block = ReferenceBlock(shape.width, config.heads, ops=ops)
            self.spatial = SpatialTransformer(shape.width, config.groups, block, ops=ops)
        else:
            self.spatial = None

    def forward(self, x: Tensor, time: Tensor, context: None) -> tuple[Tensor, SiteFeatures]:
        """(B, C, H, W) to the next map and this site's features."""
        x = self.resnet(x, time)
        if self.spatial is None:
            return x, SiteFeatures(None, x)
        out, tokens = self.spatial.block(self.spatial.tokens(x))
        x = self.spatial.picture(out, x)
        return x, SiteFeatures(tokens, x)


class ReferenceNet(UNet):
    """The skeleton with `ReferenceSite`s, at timestep 0; it returns its features and keeps nothing."""

    def __init__(self, config: UNetConfig, *, ops: Layers = nn) -> None:
        super().__init__(config, lambda shape: ReferenceSite(shape, config, ops=ops), ops=ops)

    def features(self, latents: Tensor) -> list[SiteFeatures]:
        """Encode clean latents (B, C, H, W): one `SiteFeatures` per site."""
        timesteps = torch.zeros(len(latents), device=latents.device)
        return self(latents, timesteps, [None] * len(self.sites))[1]
