"""The spatial transformer: self-attention -> reference-attention -> audio-attention -> feed-forward.

Paper section 3.2. SD 1.5's text cross-attention is gone; reference-attention stands in its place, and audio-attention
after each of them. ReferenceNet has neither; its block returns the output of self-attention.

Shape legend: B clips, F frames, C channels, H W side, N = H * W tokens.
"""

from einops import rearrange
from torch import Tensor, nn

from ..config import EMOConfig
from .attention import TORCH, Attention, FeedForward, KeyValue, Layers
from .context import SiteContext
from .emotion_layers import EmotionModulation, modulated


class SpatialTransformer(nn.Module):
    """GroupNorm -> 1x1 -> one transformer block -> 1x1 -> residual, frame by frame."""

    def __init__(
        self, width: int, groups: int, block: nn.Module, *, inner: int | None = None, ops: Layers = TORCH
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
    """The Backbone's transformer block, as in the paper; an emotion, if the model knows any, acts on its last two norms."""

    def __init__(self, config: EMOConfig, width: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        heads = config.unet.heads
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        self.norm_ref = ops.LayerNorm(width)
        self.attn_ref = Attention(width, heads, zero=True, ops=ops)
        self.norm_audio = ops.LayerNorm(width)
        self.attn_audio = Attention(width, heads, config.audio.token_width, zero=True, ops=ops)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)
        if config.emotion.layers:
            self.emotion = EmotionModulation(config.emotion, width, 2, ops=ops)

    def reference_keys_values(self, tokens: Tensor) -> KeyValue:
        """Project ReferenceNet's tokens (B, N, C)."""
        return self.attn_ref.keys_values(tokens)

    def forward(self, x: Tensor, context: SiteContext) -> Tensor:
        """One pass over x (B F, N, C), with `reference` of B rows, `audio` and `emotion` of B F rows in the context."""
        reference, audio, emotion = context["reference"], context["audio"], context["emotion"]
        of_audio, of_ff = (None, None) if emotion is None else emotion.chunk(2, dim=-1)
        x = x + self.attn1(self.norm1(x))
        if reference is not None:
            x = x + attend_per_clip(self.attn_ref, self.norm_ref(x), reference)
        if audio is not None:
            x = x + self.attn_audio(modulated(self.norm_audio(x), of_audio), audio)
        return x + self.ff(modulated(self.norm3(x), of_ff))


def attend_per_clip(attention: Attention, x: Tensor, context: KeyValue) -> Tensor:
    """Attend from (B F, N, C) to a context of B rows, which all frames of a clip share.

    The frames' tokens become one long row of queries, so that keys and values are never repeated F times.
    """
    clips, frames = context.k.shape[0], x.shape[0] // context.k.shape[0]
    row = rearrange(x, "(b f) n c -> b (f n) c", b=clips)
    return rearrange(attention(row, context), "b (f n) c -> (b f) n c", f=frames)


class ReferenceBlock(nn.Module):
    """ReferenceNet's transformer block: self-attention and feed-forward."""

    def __init__(self, config: EMOConfig, width: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, config.unet.heads, ops=ops)
        self.norm2 = ops.LayerNorm(width)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)

    def forward(self, x: Tensor, identity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C) to the next tokens, and to the reference's tokens.

        The latter are the self-attention layer's output through the LayerNorm that follows it in SD 1.5 (its `norm2`), so that
        the Backbone's keys and values read normalised input. The paper's block reads no identity.
        """
        x = x + self.attn1(self.norm1(x))
        return x + self.ff(self.norm3(x)), self.norm2(x)
