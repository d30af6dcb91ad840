"""Speed: head rotation velocity -> buckets -> features that the temporal modules attend to (paper section 3.2).

Shape legend: B clips, F frames, J buckets, L width of a speed feature, W = 2m + 1 frames in a window.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from ..config import SpeedConfig
from .attention import TORCH, Layers


class SpeedEncoder(nn.Module):
    """w -> s_d = tanh((w - c_d) / r_d * 3) -> window S_f = {S(f-m) .. S(f+m)} -> MLP."""

    def __init__(self, config: SpeedConfig, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.config = config
        self.mlp = nn.Sequential(
            ops.Linear((2 * config.window + 1) * len(config.centres), config.width),
            nn.SiLU(),
            ops.Linear(config.width, config.width),
        )

    def buckets(self, speed: Tensor) -> Tensor:
        """(B, F) speeds in the config's unit to (B, F, J) in (-1, 1), in float32: buckets are narrow."""
        centres, radii = (
            torch.tensor(values, device=speed.device) for values in (self.config.centres, self.config.radii)
        )
        return torch.tanh((speed.float()[..., None] - centres) / radii * 3)

    def forward(self, speed: Tensor) -> Tensor:
        """(B, F + 2m) speeds, the m neighbours on each side included, to (B, F, L)."""
        windows = self.buckets(speed).unfold(1, 2 * self.config.window + 1, 1)  # (B, F, J, W)
        return self.mlp(rearrange(windows, "b f j w -> b f (w j)").to(self.mlp[0].weight.dtype))
