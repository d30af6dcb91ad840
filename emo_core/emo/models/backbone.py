"""The Backbone: the denoising UNet, with reference, audio, temporal and speed layers (paper section 3.2).

Shape legend: B clips, F frames, M motion frames, C channels, H W latent side.
"""

from collections.abc import Callable

from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from ..config import EMOConfig
from .attention import TORCH, Layers
from .context import ClipContext, SiteContext
from .reference_policy import ReferencePolicy
from .resnet import ResnetBlock
from .spatial import SpatialTransformer
from .temporal import TemporalModule
from .unet import SiteShape, UNet


class BackboneSite(nn.Module):
    """Residual block -> spatial transformer -> audio transformer (some peers) -> temporal module."""

    def __init__(self, shape: SiteShape, config: EMOConfig, policy: ReferencePolicy, *, ops: Layers = TORCH) -> None:
        super().__init__()
        unet, width = config.unet, shape.width
        self.resnet = ResnetBlock(shape.channels, width, 4 * unet.widths[0], unet.groups, ops=ops)
        self.level = shape.level
        self.spatial: SpatialTransformer | None = None
        self.temporal: TemporalModule | None = None
        if shape.attention:
            self.spatial = SpatialTransformer(width, unet.groups, policy.backbone_block(config, width, ops), ops=ops)
        self.regions = policy.audio_transformer(config, shape, ops)
        if config.temporal.everywhere or shape.attention:
            self.temporal = TemporalModule(
                width, unet.heads, unet.groups, config.temporal.max_positions, config.speed, ops=ops
            )

    @property
    def audio_block(self) -> nn.Module | None:
        """The module that projects audio tokens at this site; None if the site has no audio layer."""
        if self.regions is not None:
            return self.regions.block
        return None if self.spatial is None else self.spatial.block.attn_audio

    def forward(self, x: Tensor, time: Tensor, context: SiteContext) -> tuple[Tensor, None]:
        """(B F, C, H, W) to the next feature map."""
        x = self.resnet(x, time)
        if self.spatial is not None:
            x = self.spatial.picture(self.spatial.block(self.spatial.tokens(x), context), x)
        if self.regions is not None and context["audio"] is not None:
            x = self.regions.picture(self.regions.block(self.regions.tokens(x), context), x)
        if self.temporal is not None and context.motion is not None:
            x = self.temporal(x, context.motion, context["speed"])
        return x, None


class Backbone(UNet):
    """The skeleton with `BackboneSite`s and SD 1.5's output convolution."""

    def __init__(self, config: EMOConfig, policy: ReferencePolicy, *, ops: Layers = TORCH) -> None:
        super().__init__(config.unet, lambda shape: BackboneSite(shape, config, policy, ops=ops), ops=ops)
        first = config.unet.widths[0]
        self.conv_norm_out = ops.GroupNorm(config.unet.groups, first, eps=1e-5)
        self.conv_out = ops.Conv2d(first, config.unet.latent_channels, 3, padding=1)

    def contexts(self, build: Callable[[int, BackboneSite], SiteContext]) -> tuple[SiteContext, ...]:
        """One `SiteContext` per site, in running order."""
        return tuple(build(index, site) for index, site in enumerate(self.sites))

    def denoise(self, noisy: Tensor, timesteps: Tensor, context: ClipContext) -> Tensor:
        """Predict (epsilon, v or x_0) for all frames at once.

        Args:
            noisy: (B, F, C, H, W).
            timesteps: (B,).
            context: the clip's conditions.

        Returns:
            (B, F, C, H, W)
        """
        frames = noisy.shape[1]
        times = repeat(timesteps, "b -> (b f)", f=frames)
        added = context.added
        if added is not None:
            added = rearrange(added.expand(-1, frames, -1, -1, -1), "b f c h w -> (b f) c h w")
        x, _ = self(rearrange(noisy, "b f c h w -> (b f) c h w"), times, context.sites, added)
        x = self.conv_out(functional.silu(self.conv_norm_out(x)))
        return rearrange(x, "(b f) c h w -> b f c h w", f=frames)
