"""Attention and feed-forward, the two layers of every transformer of the model.

Shape legend: B rows, N query tokens, S context tokens, D token width, K heads, d head width (D / K).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values (B, K, N or S, d) to (B, K, N, d)."""


class Layers(Protocol):
    """The layer classes of every module of the model, passed as `ops`.

    A host may give layers that keep their weights elsewhere until they run (ComfyUI's comfy.ops), and its own attention.
    """

    Linear: type[nn.Module]
    Conv2d: type[nn.Module]
    GroupNorm: type[nn.Module]
    LayerNorm: type[nn.Module]
    attention: Attend


@dataclass(frozen=True, slots=True)
class TorchLayers:
    """torch's own."""

    Linear: type[nn.Module] = nn.Linear
    Conv2d: type[nn.Module] = nn.Conv2d
    GroupNorm: type[nn.Module] = nn.GroupNorm
    LayerNorm: type[nn.Module] = nn.LayerNorm
    attention: Attend = functional.scaled_dot_product_attention


TORCH = TorchLayers()


@dataclass(frozen=True, slots=True)
class KeyValue:
    """Keys and values of a context, projected once and attended to many times."""

    k: Tensor
    """(B, K, S, d)"""
    v: Tensor
    """(B, K, S, d)"""

    def followed_by(self, other: "KeyValue") -> "KeyValue":
        """These and, in each row, more of the same width."""
        return KeyValue(torch.cat([self.k, other.k], dim=2), torch.cat([self.v, other.v], dim=2))

    def rows(self, chosen: slice | Tensor) -> "KeyValue":
        """Some rows of the batch, or some several times."""
        return KeyValue(self.k[chosen], self.v[chosen])

    @staticmethod
    def cat(parts: list["KeyValue"]) -> "KeyValue":
        """Join along the batch."""
        return KeyValue(torch.cat([part.k for part in parts]), torch.cat([part.v for part in parts]))


class Attention(nn.Module):
    """Multi-head attention with SD 1.5's layout and key names: projections without bias, output with."""

    def __init__(
        self, width: int, heads: int, context_width: int | None = None, *, zero: bool = False, ops: Layers = TORCH
    ) -> None:
        super().__init__()
        context_width = context_width or width
        self.heads = heads
        self._attend = ops.attention
        self.to_q = ops.Linear(width, width, bias=False)
        self.to_k = ops.Linear(context_width, width, bias=False)
        self.to_v = ops.Linear(context_width, width, bias=False)
        self.to_out = nn.ModuleList([ops.Linear(width, width)])
        if zero:
            zero_(self.to_out[0])

    def keys_values(self, context: Tensor) -> KeyValue:
        """Project a context (B, S, context_width)."""
        k, v = (rearrange(project(context), "b s (k d) -> b k s d", k=self.heads) for project in (self.to_k, self.to_v))
        return KeyValue(k, v)

    def forward(self, x: Tensor, context: KeyValue | None = None) -> Tensor:
        """Attend from x (B, N, D) to a projected context, or to itself; gives (B, N, D)."""
        context = context or self.keys_values(x)
        q = rearrange(self.to_q(x), "b n (k d) -> b k n d", k=self.heads)
        out = self._attend(q, context.k, context.v)
        return self.to_out[0](rearrange(out, "b k n d -> b n (k d)"))


class FeedForward(nn.Module):
    """GEGLU feed-forward (exact GELU), four times as wide inside."""

    def __init__(self, width: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        # Indices 0 and 2 are the keys of SD 1.5; 1 is its dropout, which has no weights.
        self.net = nn.ModuleList([_GEGLU(width, 4 * width, ops), nn.Identity(), ops.Linear(4 * width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        return self.net[2](self.net[0](x))


class _GEGLU(nn.Module):
    def __init__(self, width: int, inner: int, ops: Layers) -> None:
        super().__init__()
        self.proj = ops.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * functional.gelu(gate)


def zero_(module: nn.Module) -> None:
    """Zero a layer's weights, so that its branch starts as the identity on the residual stream."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
