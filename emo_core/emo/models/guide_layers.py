"""The layer through which the Backbone sees the guide.

Shape legend: B clips, F frames, C latent channels, C0 first width of the Backbone, H W latent side.
"""

from einops import rearrange
from torch import Tensor, nn

from .attention import TORCH, Layers, zero_


class GuideEncoder(nn.Module):
    """One convolution; zero at first, so that a model which gets it is the same as before."""

    def __init__(self, channels: int, width: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, width, 3, padding=1)
        zero_(self.conv)

    def forward(self, guide: Tensor) -> Tensor:
        """(B, F, C, H, W) to (B, F, C0, H, W)."""
        added = self.conv(rearrange(guide, "b f c h w -> (b f) c h w"))
        return rearrange(added, "(b f) c h w -> b f c h w", b=len(guide))
