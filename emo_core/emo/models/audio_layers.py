"""From windows of wav2vec features to the tokens that the audio layers attend to (paper section 3.2).

Shape legend: B clips, F frames, W = 2m + 1 frames in a window, L wav2vec layers, D their width, T tokens.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ..config import AudioConfig
from .attention import Attention, FeedForward, KeyValue, Layers, zero_

REGIONS = ("pose", "face", "lip")
"""What the heads of a `RegionBlock` are for, in their order; pose is all but the face."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Where each head of a `RegionBlock` acts, and how strongly."""

    masks: Tensor
    """(B F, 3, N)"""
    weights: tuple[float, float, float]

    @staticmethod
    def cat(parts: list["Regions"]) -> "Regions":
        """Join along the batch; the weights are one clip's."""
        return Regions(torch.cat([part.masks for part in parts]), parts[0].weights)


class RegionBlock(nn.Module):
    """Hallo's audio transformer: what the voice does to the whole picture, to the face and to the lips, each its own head.

    Self-attention -> three attentions to the frame's audio tokens, each weighted by its region and sent through a
    convolution that starts at zero -> feed-forward.
    """

    def __init__(self, width: int, heads: int, audio_width: int, *, ops: Layers = nn) -> None:
        super().__init__()
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        self.norm2 = ops.LayerNorm(width)
        self.heads = nn.ModuleList([Attention(width, heads, audio_width, ops=ops) for _ in REGIONS])
        self.zeros = nn.ModuleList([ops.Linear(width, width) for _ in REGIONS])
        for zero in self.zeros:
            zero_(zero)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)

    def keys_values(self, audio: Tensor) -> tuple[KeyValue, ...]:
        """Project audio tokens (B F, T, D) for every head."""
        return tuple(head.keys_values(audio) for head in self.heads)

    def forward(self, x: Tensor, audio: tuple[KeyValue, ...], regions: Regions) -> Tensor:
        """(B F, N, C) to (B F, N, C)."""
        x = x + self.attn1(self.norm1(x))
        query, found = self.norm2(x), x
        for index, (head, zero, weight) in enumerate(zip(self.heads, self.zeros, regions.weights, strict=True)):
            found = found + weight * zero(head(query, audio[index]) * regions.masks[:, index, :, None])
        return found + self.ff(self.norm3(found))


class AudioProjection(nn.Module):
    """A_gen(f) = {A(f-m) .. A(f+m)}, all layers concatenated -> MLP -> tokens."""

    def __init__(self, config: AudioConfig, *, ops: Layers = nn) -> None:
        super().__init__()
        self.tokens = config.tokens
        inputs = (2 * config.window + 1) * config.layers * config.width
        self.proj1 = ops.Linear(inputs, config.hidden)
        self.proj2 = ops.Linear(config.hidden, config.hidden)
        self.proj3 = ops.Linear(config.hidden, config.tokens * config.token_width)
        self.norm = ops.LayerNorm(config.token_width)

    def forward(self, windows: Tensor) -> Tensor:
        """(B, F, W, L, D) to (B, F, T, token_width)."""
        x = rearrange(windows, "b f w l d -> b f (w l d)")
        x = functional.relu(self.proj2(functional.relu(self.proj1(x))))
        return self.norm(rearrange(self.proj3(x), "b f (t d) -> b f t d", t=self.tokens))
