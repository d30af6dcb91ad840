"""The spatial transformer: self-attention -> reference-attention -> audio-attention -> feed-forward.

Paper section 3.2. SD 1.5's text cross-attention is gone; reference-attention stands in its place, and audio-attention
after each of them. ReferenceNet has neither, and hands out what its self-attention made.

Shape legend: B clips, F frames, C channels, H W side, N = H * W tokens.
"""

from einops import rearrange
from torch import Tensor, nn

from ..config import BlockConfig
from .attention import Attention, FeedForward, KeyValue, Layers


class SpatialTransformer(nn.Module):
    """GroupNorm -> 1x1 -> one transformer block -> 1x1 -> residual, frame by frame."""

    def __init__(self, width: int, groups: int, block: nn.Module, *, ops: Layers = nn) -> None:
        super().__init__()
        self.norm = ops.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = ops.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = ops.Conv2d(width, width, 1)

    @property
    def block(self) -> nn.Module:
        """The transformer block; a list of one only to keep SD 1.5's key names."""
        return self.transformer_blocks[0]

    def tokens(self, x: Tensor) -> Tensor:
        """(B F, C, H, W) to the block's input (B F, N, C)."""
        return rearrange(self.proj_in(self.norm(x)), "b c h w -> b (h w) c")

    def picture(self, tokens: Tensor, x: Tensor) -> Tensor:
        """The block's output (B F, N, C) added to x (B F, C, H, W)."""
        return x + self.proj_out(rearrange(tokens, "b (h w) c -> b c h w", h=x.shape[2]))


class BackboneBlock(nn.Module):
    """The Backbone's transformer block."""

    def __init__(self, config: BlockConfig, *, ops: Layers = nn) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        self.norm_ref = ops.LayerNorm(width)
        self.attn_ref = Attention(width, heads, zero=True, ops=ops)
        self.norm_audio = ops.LayerNorm(width)
        self.attn_audio = Attention(width, heads, config.audio_width, zero=True, ops=ops)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)

    def forward(self, x: Tensor, reference: KeyValue | None, audio: KeyValue | None) -> Tensor:
        """One pass over x (B F, N, C).

        Args:
            x: tokens of all frames.
            reference: ReferenceNet's tokens, projected, one row per clip; None leaves the layer out.
            audio: audio tokens, projected, one row per frame; None leaves the layer out.
        """
        x = x + self.attn1(self.norm1(x))
        if reference is not None:
            x = x + self._reference(self.norm_ref(x), reference)
        if audio is not None:
            x = x + self.attn_audio(self.norm_audio(x), audio)
        return x + self.ff(self.norm3(x))

    def _reference(self, x: Tensor, reference: KeyValue) -> Tensor:
        # All frames of a clip see the same reference: their tokens become one long row of queries, so that keys
        # and values are never repeated F times.
        clips, frames = reference.k.shape[0], x.shape[0] // reference.k.shape[0]
        row = rearrange(x, "(b f) n c -> b (f n) c", b=clips)
        return rearrange(self.attn_ref(row, reference), "b (f n) c -> (b f) n c", f=frames)


class ReferenceBlock(nn.Module):
    """ReferenceNet's transformer block: self-attention and feed-forward."""

    def __init__(self, width: int, heads: int, *, ops: Layers = nn) -> None:
        super().__init__()
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        self.norm2 = ops.LayerNorm(width)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C) to the next tokens and the reference tokens.

        The reference tokens are the self-attention layer's output, through the LayerNorm that follows it in SD 1.5
        (its `norm2`), so that the Backbone's keys and values read normalised input.
        """
        x = x + self.attn1(self.norm1(x))
        return x + self.ff(self.norm3(x)), self.norm2(x)
