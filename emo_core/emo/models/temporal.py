"""The temporal module: attention across frames, with motion frames before the clip's own, then speed.

AnimateDiff's layout and key names (two self-attentions, feed-forward), plus the speed layer of paper section 3.2.

Shape legend: B clips, F frames, M motion frames, C channels, H W side, L width of a speed feature.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from ..config import SpeedConfig
from .attention import TORCH, Attention, FeedForward, KeyValue, Layers, zero_

MAX_ROWS = 65_535
"""Fused CUDA attention puts rows x heads on a grid axis of this length; 512 x 512 has more at the first level."""


class TemporalModule(nn.Module):
    """Frame-axis transformer at one place of the Backbone."""

    def __init__(
        self, width: int, heads: int, groups: int, positions: int, speed: SpeedConfig, *, ops: Layers = TORCH
    ) -> None:
        super().__init__()
        speed_width, self.strength = speed.width if speed.layers else 0, speed.strength
        self.norm = ops.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = ops.Linear(width, width)
        self.norms = nn.ModuleList([ops.LayerNorm(width) for _ in range(2)])
        self.attention_blocks = nn.ModuleList([Attention(width, heads, ops=ops) for _ in range(2)])
        if speed_width:
            self.norm_speed = ops.LayerNorm(width)
            self.attn_speed = Attention(width, heads, speed_width, zero=True, ops=ops)
        self.ff_norm = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)
        self.proj_out = ops.Linear(width, width)
        zero_(self.proj_out)
        self.register_buffer("positions", sinusoids(positions, width), persistent=False)
        if speed_width:
            self.register_buffer("speed_positions", sinusoids(positions, speed_width), persistent=False)

    def speed_keys_values(self, speed: Tensor) -> KeyValue:
        """Project speed features (B, F, L); the frame's position is added, so that a curve differs from its mean."""
        return self.attn_speed.keys_values(speed + self.speed_positions[: speed.shape[1]].to(speed))

    def forward(self, x: Tensor, motion: Tensor, speed: KeyValue | None) -> Tensor:
        """Mix the frames of each clip.

        Args:
            x: (B F, C, H, W) feature maps of the clip's frames.
            motion: (B, M, C, H, W) ReferenceNet's maps of the motion frames at this place; zero maps for the
                first clip, M = 0 for none.
            speed: projected speed features, one row per clip; None leaves the speed layer out.

        Returns:
            (B F, C, H, W)
        """
        clips, count = motion.shape[:2]
        height = x.shape[2]
        rows = self._rows(x, clips)
        if count:
            rows = torch.cat([self._rows(motion.flatten(0, 1), clips), rows], dim=1)
        for norm, attention in zip(self.norms, self.attention_blocks, strict=True):
            rows = rows + in_chunks(attention, norm(rows) + self.positions[: rows.shape[1]].to(rows))
        rows = rows[:, count:]
        if speed is not None:
            rows = rows + self._speed(rows, speed)
        rows = rows + self.ff(self.ff_norm(rows))
        return x + rearrange(self.proj_out(rows), "(b h w) f c -> (b f) c h w", b=clips, h=height)

    def _rows(self, maps: Tensor, clips: int) -> Tensor:
        """(B F, C, H, W) to (B H W, F, C), each frame normalised by itself."""
        rows = rearrange(self.norm(maps), "(b f) c h w -> (b h w) f c", b=clips)
        # On a view torch's CPU computes one small product per row: a tenth of the time of a step.
        return self.proj_in(rows.contiguous())

    def _speed(self, rows: Tensor, speed: KeyValue) -> Tensor:
        """Every place of a clip sees the same speeds, so all places share one long row of queries."""
        clips, frames = speed.k.shape[0], rows.shape[1]
        queries = self.norm_speed(rows) + self.positions[:frames].to(rows)
        out = self.attn_speed(rearrange(queries, "(b p) f c -> b (p f) c", b=clips), speed)
        return self.strength * rearrange(out, "b (p f) c -> (b p) f c", f=frames)


def in_chunks(attention: Attention, rows: Tensor) -> Tensor:
    """Self-attention over (R, F, C) in slices that no kernel's grid limit meets; the result is the same."""
    return torch.cat([attention(part) for part in rows.split(MAX_ROWS // attention.heads)])


def sinusoids(positions: int, width: int) -> Tensor:
    """AnimateDiff's position table: (positions, width), sine on even columns, cosine on odd ones.

    Always on the CPU: no checkpoint holds this table, so it must be real in a model that is built on the meta device.
    """
    rows, columns = torch.arange(positions, device="cpu"), torch.arange(0, width, 2, device="cpu")
    angles = rows[:, None] * torch.exp(columns * (-math.log(10000.0) / width))
    return rearrange(torch.stack([angles.sin(), angles.cos()], dim=-1), "p w two -> p (w two)")
