"""Emotion: strengths per frame -> features -> shift and scale of the Backbone's normalised tokens (AdaLN, as in MEMO, arXiv 2412.04448).

Shape legend: B clips, F frames, E emotions, L width of an emotion feature, C channels, N tokens of a frame, K norms.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ..config import EmotionConfig
from .attention import TORCH, Layers, zero_


class EmotionEncoder(nn.Module):
    """Strengths -> MLP. Neutral has a feature of its own; an unknown emotion is a zero feature, as a dropped one."""

    def __init__(self, config: EmotionConfig, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            ops.Linear(len(config.names), config.width), nn.SiLU(), ops.Linear(config.width, config.width)
        )

    def forward(self, strengths: Tensor) -> Tensor:
        """(B, F, E) strengths, NaN in frames of unknown emotion, to (B, F, L)."""
        unknown = strengths.isnan().any(-1, keepdim=True)
        features = self.mlp(strengths.nan_to_num().to(self.mlp[0].weight.dtype))
        return features.masked_fill(unknown, 0.0)


class EmotionModulation(nn.Module):
    """Features to a shift and a scale for each of K norms of a block; all zero at first, and for a zero feature."""

    def __init__(self, config: EmotionConfig, width: int, norms: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.proj = ops.Linear(config.width, norms * 2 * width, bias=False)
        zero_(self.proj)

    def forward(self, features: Tensor) -> Tensor:
        """(B, F, L) to (B F, 1, K 2 C), which all tokens of a frame share."""
        return rearrange(self.proj(functional.silu(features)), "b f c -> (b f) 1 c")


def modulated(x: Tensor, modulation: Tensor | None) -> Tensor:
    """Normalised tokens (B F, N, C), scaled and shifted by (B F, 1, 2 C); None leaves them as they are."""
    if modulation is None:
        return x
    scale, shift = modulation.chunk(2, dim=-1)
    return torch.addcmul(x + shift, x, scale)
