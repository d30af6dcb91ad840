"""Identity tokens: a face embedding, projected (Hallo; the paper has none).

Shape legend: B faces, E width of the embedding, T tokens, D their width.
"""

from einops import rearrange
from torch import Tensor, nn

from ..config import IdentityConfig
from .attention import TORCH, Layers


class IdentityProjection(nn.Module):
    """Linear, split into tokens, LayerNorm."""

    def __init__(self, config: IdentityConfig, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.proj = ops.Linear(config.embedding, config.tokens * config.width)
        self.norm = ops.LayerNorm(config.width)

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, E) to (B, T, D)."""
        return self.norm(rearrange(self.proj(embedding), "b (t d) -> b t d", t=self.tokens))
