"""The Face Locator: a face-region mask to a feature map that is added to the noisy latent (paper section 3.2)."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from .attention import TORCH, Layers, zero_


class FaceLocator(nn.Module):
    """Light convolutions: at each step two at one size, then one that halves it; the last one starts at zero.

    The layout of the open peers: 1 -> 16 -> 32 -> 64 -> 128 -> the Backbone's first width.
    """

    def __init__(self, widths: tuple[int, ...], out_channels: int, *, channels: int = 1, ops: Layers = TORCH) -> None:
        super().__init__()
        self.conv_in = ops.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for narrow, wide in pairwise(widths):
            self.blocks.append(ops.Conv2d(narrow, narrow, 3, padding=1))
            self.blocks.append(ops.Conv2d(narrow, wide, 3, stride=2, padding=1))
        self.conv_out = ops.Conv2d(widths[-1], out_channels, 3, padding=1)
        zero_(self.conv_out)

    def forward(self, mask: Tensor) -> Tensor:
        """(B, 1, mask_size, mask_size) in [0, 1], the same for all channels, to (B, C, h, w) at latent size."""
        x = functional.silu(self.conv_in(mask.expand(-1, self.conv_in.in_channels, -1, -1)))
        for block in self.blocks:
            x = functional.silu(block(x))
        return self.conv_out(x)
