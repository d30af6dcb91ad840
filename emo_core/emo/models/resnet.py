"""The convolutional parts of the SD 1.5 UNet: time embedding, residual block, down- and upsampling.

Shape legend: B pictures, C channels, H W side, E width of the time embedding.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import TORCH, Layers


class TimeEmbedding(nn.Module):
    """Timestep -> sinusoid -> two-layer MLP."""

    def __init__(self, width: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.width = width
        self.linear_1 = ops.Linear(width, 4 * width)
        self.linear_2 = ops.Linear(4 * width, 4 * width)

    def forward(self, timesteps: Tensor) -> Tensor:
        """(B,) timesteps, integers or fractions, to (B, E)."""
        half = self.width // 2
        steps = torch.arange(half, device=timesteps.device, dtype=torch.float32)
        angles = timesteps.float()[:, None] * torch.exp(-math.log(10000) / half * steps)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1).to(self.linear_1.weight.dtype)
        return self.linear_2(functional.silu(self.linear_1(waves)))


class ResnetBlock(nn.Module):
    """GroupNorm-SiLU-conv twice, with the time embedding added in between."""

    def __init__(self, channels: int, out_channels: int, time_width: int, groups: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.norm1 = ops.GroupNorm(groups, channels, eps=1e-5)
        self.conv1 = ops.Conv2d(channels, out_channels, 3, padding=1)
        self.time_emb_proj = ops.Linear(time_width, out_channels)
        self.norm2 = ops.GroupNorm(groups, out_channels, eps=1e-5)
        self.conv2 = ops.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = ops.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """X (B, C, H, W) and time (B, E) to (B, out, H, W)."""
        h = self.conv1(functional.silu(self.norm1(x)))
        h = h + self.time_emb_proj(functional.silu(time))[:, :, None, None]
        h = self.conv2(functional.silu(self.norm2(h)))
        return self.conv_shortcut(x) + h


class Downsample(nn.Module):
    """Halve the side with a strided convolution."""

    def __init__(self, channels: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H/2, W/2)."""
        return self.conv(x)


class Upsample(nn.Module):
    """Double the side: nearest neighbour, then a convolution."""

    def __init__(self, channels: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2H, 2W)."""
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
