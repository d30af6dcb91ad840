"""The spatial transformer: self-attention -> reference-attention -> audio-attention -> feed-forward.

Paper section 3.2. SD 1.5's text cross-attention is gone; reference-attention stands in its place, and audio-attention
after each of them. ReferenceNet has neither, and hands out what its self-attention made.

Shape legend: B clips, F frames, C channels, H W side, N = H * W tokens.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from ..config import EMOConfig
from .attention import Attention, FeedForward, KeyValue, Layers

REFERENCE_VARIANTS = 2
"""With identity tokens there are two references: one that ReferenceNet saw without the face's identity, one with."""


class SpatialTransformer(nn.Module):
    """GroupNorm -> 1x1 -> one transformer block -> 1x1 -> residual, frame by frame."""

    def __init__(
        self, width: int, groups: int, block: nn.Module, *, inner: int | None = None, ops: Layers = nn
    ) -> None:
        """Of a map `width` wide; `inner` is the block's width, if another."""
        super().__init__()
        inner = inner or width
        self.norm = ops.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = ops.Conv2d(width, inner, 1)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = ops.Conv2d(inner, width, 1)

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
    """The Backbone's transformer block; which layers it has is its config's choice."""

    def __init__(self, config: EMOConfig, width: int, *, ops: Layers = nn) -> None:
        super().__init__()
        block, heads = config.block, config.unet.heads
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        if block.reference == "cross":
            self.norm_ref = ops.LayerNorm(width)
            self.attn_ref = Attention(width, heads, zero=True, ops=ops)
        if block.identity:
            self.norm_id = ops.LayerNorm(width)
            self.attn_id = Attention(width, heads, config.identity.width, ops=ops)
        if block.audio == "inline":
            self.norm_audio = ops.LayerNorm(width)
            self.attn_audio = Attention(width, heads, config.audio.token_width, zero=True, ops=ops)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)
        self._joins = block.reference == "concat"
        self._variants = REFERENCE_VARIANTS if block.identity else 1

    def reference_keys_values(self, tokens: Tensor) -> KeyValue:
        """Project ReferenceNet's tokens (B, N, C)."""
        return (self.attn1 if self._joins else self.attn_ref).keys_values(tokens)

    def forward(
        self, x: Tensor, reference: KeyValue | None, audio: KeyValue | None, identity: KeyValue | None = None
    ) -> Tensor:
        """One pass over x (B F, N, C).

        Args:
            x: tokens of all frames.
            reference: ReferenceNet's tokens, projected, one row per clip; None leaves them out. Where they join
                self-attention there may be fewer clips (the last ones have no reference), and several rows a clip, which the
                frames take in turn.
            audio: audio tokens, projected, one row per frame; None leaves the layer out.
            identity: identity tokens, projected, one row per clip; None leaves the layer out.
        """
        if self._joins and reference is not None:
            x = x + self._joined(
                self.norm1(x), reference, clips=len(reference.k) if identity is None else len(identity.k)
            )
        else:
            x = x + self.attn1(self.norm1(x))
        if not self._joins and reference is not None:
            x = x + _shared(self.attn_ref, self.norm_ref(x), reference)
        if identity is not None:
            x = x + _shared(self.attn_id, self.norm_id(x), identity)
        if audio is not None:
            x = x + self.attn_audio(self.norm_audio(x), audio)
        return x + self.ff(self.norm3(x))

    def _joined(self, x: Tensor, reference: KeyValue, clips: int) -> Tensor:
        """Self-attention whose keys and values go on with the reference's; clips without one attend to themselves alone."""
        own, frames = self.attn1.keys_values(x), len(x) // clips
        count = len(reference.k) // self._variants * frames
        row = torch.arange(count, device=x.device)
        # Hallo takes the variants in turn, counted over the frames of both its halves, of which ours is the second.
        chosen = row // frames * self._variants + (row % frames + frames) % self._variants
        found = self.attn1(x[:count], own.rows(slice(count)).followed_by(reference.rows(chosen)))
        if count == len(x):
            return found
        return torch.cat([found, self.attn1(x[count:], own.rows(slice(count, None)))])


def _shared(attention: Attention, x: Tensor, context: KeyValue) -> Tensor:
    """Attend from (B F, N, C) to what all frames of a clip share.

    Their tokens become one long row of queries, so that keys and values are never repeated F times.
    """
    clips, frames = context.k.shape[0], x.shape[0] // context.k.shape[0]
    row = rearrange(x, "(b f) n c -> b (f n) c", b=clips)
    return rearrange(attention(row, context), "b (f n) c -> (b f) n c", f=frames)


class ReferenceBlock(nn.Module):
    """ReferenceNet's transformer block: self-attention, identity where the model has it, feed-forward."""

    def __init__(self, config: EMOConfig, width: int, *, ops: Layers = nn) -> None:
        super().__init__()
        heads = config.unet.heads
        self._taps_input = config.block.tap == "norm1"
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        if config.block.identity:
            self.norm_id = ops.LayerNorm(width)
            self.attn_id = Attention(width, heads, config.identity.width, ops=ops)
        if not self._taps_input:
            self.norm2 = ops.LayerNorm(width)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)

    def forward(self, x: Tensor, identity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C), and identity tokens (B, T, D) where the model has them, to the next tokens and the reference's.

        Those are the self-attention layer's output, through the LayerNorm that follows it in SD 1.5 (its `norm2`), so that the
        Backbone's keys and values read normalised input; or, where they join self-attention, that layer's own input.
        """
        normal = self.norm1(x)
        x = x + self.attn1(normal)
        tapped = normal if self._taps_input else self.norm2(x)
        if identity is not None:
            x = x + self.attn_id(self.norm_id(x), self.attn_id.keys_values(identity))
        return x + self.ff(self.norm3(x)), tapped
