"""A transformer layer that knows how far apart frames are, not where they are, so that it works at any length.

Shape legend: B samples, F frames, C channels, H heads.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


def distance_bias(frames: int, heads: int, device: torch.device) -> Tensor:
    """(H, F, F) minus the distance of two frames, times a slope of each head (ALiBi, arXiv 2108.12409, on both sides)."""
    slopes = 2.0 ** (-4 * torch.arange(1, heads + 1, device=device) / heads)
    place = torch.arange(frames, device=device)
    return -slopes[:, None, None] * (place[:, None] - place[None]).abs()


class DistanceLayer(nn.Module):
    """Self-attention and a feed-forward network, each added to its input."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, C) to the same."""
        qkv = rearrange(self.to_qkv(self.norm_attention(x)), "b f (three h c) -> three b h f c", three=3, h=self.heads)
        bias = distance_bias(x.shape[1], self.heads, x.device).to(x.dtype)
        mixed = functional.scaled_dot_product_attention(
            *qkv, attn_mask=bias, dropout_p=self.dropout if self.training else 0.0
        )
        x = x + self.out(rearrange(mixed, "b h f c -> b f (h c)"))
        return x + self.feed(self.norm_feed(x))
