"""Hallo and Hallo2: where their network differs from the paper's.

The reference's tokens join self-attention's keys and values and are that layer's input, which also serves as motion maps.
Identity tokens follow self-attention. The audio layers are a second transformer with a head each for head, face and lips.

Shape legend: B clips, F frames, M motion frames, P = 1 + M pictures, N tokens, C channels, T tokens of audio or identity, D width.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ...conditions.clip import Conditions
from ...config import EMOConfig
from ..attention import TORCH, Attention, FeedForward, KeyValue, Layers, zero_
from ..context import SiteContext
from ..reference_net import ReferenceNet
from ..reference_policy import References
from ..spatial import SpatialTransformer, attend_per_clip
from ..unet import SiteShape

REGIONS = ("pose", "face", "lip")
"""The heads of a `RegionBlock`, in their order; pose is all but the face."""
VARIANTS = 2
"""References per clip: one that ReferenceNet computed without the face's identity, one with it."""


class HalloPolicy:
    """See `ReferencePolicy`."""

    maps_are_tokens = True

    def backbone_block(self, config: EMOConfig, width: int, ops: Layers) -> nn.Module:
        return HalloBackboneBlock(config, width, ops=ops)

    def reference_block(self, config: EMOConfig, width: int, ops: Layers) -> nn.Module:
        return HalloReferenceBlock(config, width, ops=ops)

    def audio_transformer(self, config: EMOConfig, shape: SiteShape, ops: Layers) -> SpatialTransformer | None:
        if not shape.attention:
            return None
        block = RegionBlock(shape.entry, config.unet.heads, config.audio.token_width, ops=ops)
        return SpatialTransformer(shape.width, config.unet.groups, block, inner=shape.entry, ops=ops)

    def references(
        self, net: ReferenceNet, conditions: Conditions, features: Mapping[str, Tensor], without: Mapping[str, Tensor]
    ) -> References:
        """Portrait and motion frames, with and without the face's identity.

        Hallo's ReferenceNet sees [portrait, motion frames] twice, the first time for the pass without conditions. Counted over
        both, every second picture gets the face's tokens, the others the tokens of no face. Both portraits are references.
        """
        face, no_face = features["identity"], without["identity"]
        pictures = conditions["reference"][:, None]
        if conditions.motion is not None:
            pictures = torch.cat([pictures, conditions.motion], dim=1)
        count = pictures.shape[1]
        tokens = torch.stack([face if row % 2 else no_face for row in range(2 * count)], dim=1)
        sites = net.features(
            repeat(pictures, "b p c h w -> (b twice p) c h w", twice=2), rearrange(tokens, "b p t d -> (b p) t d")
        )
        references = [None if site.tokens is None else site.tokens[::count] for site in sites]
        if conditions.motion is None:
            return References(references, [None] * len(sites), [None] * len(sites))
        maps = [rearrange(site.stream, "(b p) c h w -> b p c h w", p=2 * count) for site in sites]
        return References(references, [m[:, count + 1 :] for m in maps], [m[:, 1:count] for m in maps])


class _HalloBlock(nn.Module):
    """The layers of both UNets' blocks: self-attention, identity-attention, feed-forward."""

    def __init__(self, config: EMOConfig, width: int, *, ops: Layers = TORCH) -> None:
        super().__init__()
        heads = config.unet.heads
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = Attention(width, heads, ops=ops)
        self.norm_id = ops.LayerNorm(width)
        self.attn_id = Attention(width, heads, config.identity.width, ops=ops)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)


class HalloBackboneBlock(_HalloBlock):
    """Self-attention joined by the reference's tokens -> identity-attention -> feed-forward."""

    def reference_keys_values(self, tokens: Tensor) -> KeyValue:
        """Project ReferenceNet's tokens (VARIANTS B, N, C)."""
        return self.attn1.keys_values(tokens)

    def forward(self, x: Tensor, context: SiteContext) -> Tensor:
        """One pass over x (B F, N, C)."""
        reference, identity = context["reference"], context["identity"]
        normal = self.norm1(x)
        attended = self.attn1(normal) if reference is None else self._joined(normal, reference, len(identity.k))
        x = x + attended
        x = x + attend_per_clip(self.attn_id, self.norm_id(x), identity)
        return x + self.ff(self.norm3(x))

    def _joined(self, x: Tensor, reference: KeyValue, clips: int) -> Tensor:
        """Self-attention with the reference's keys and values after its own.

        There may be fewer references than clips: the last clips have none and attend to themselves alone.
        """
        own, frames = self.attn1.keys_values(x), len(x) // clips
        count = len(reference.k) // VARIANTS * frames
        row = torch.arange(count, device=x.device)
        # Hallo takes the variants in turn, counted over the frames of both its halves, of which ours is the second.
        chosen = row // frames * VARIANTS + (row % frames + frames) % VARIANTS
        joined = self.attn1(x[:count], own.rows(slice(count)).followed_by(reference.rows(chosen)))
        if count == len(x):
            return joined
        return torch.cat([joined, self.attn1(x[count:], own.rows(slice(count, None)))])


class HalloReferenceBlock(_HalloBlock):
    """Self-attention -> identity-attention -> feed-forward; the reference's tokens are self-attention's input."""

    def forward(self, x: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C) and identity tokens (B, T, D) to the next tokens and the reference's tokens."""
        tokens = self.norm1(x)
        x = x + self.attn1(tokens)
        x = x + self.attn_id(self.norm_id(x), self.attn_id.keys_values(identity))
        return x + self.ff(self.norm3(x)), tokens


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
    """The audio transformer: self-attention -> an audio-attention each for head, face and lips -> feed-forward.

    Each of the three is weighted by its region and sent through a layer that starts at zero.
    """

    def __init__(self, width: int, heads: int, audio_width: int, *, ops: Layers = TORCH) -> None:
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

    def forward(self, x: Tensor, context: SiteContext) -> Tensor:
        """(B F, N, C) to (B F, N, C); the context has `audio` and `audio_regions`."""
        audio, regions = context["audio"], context["audio_regions"]
        x = x + self.attn1(self.norm1(x))
        query, out = self.norm2(x), x
        for index, (head, zero, weight) in enumerate(zip(self.heads, self.zeros, regions.weights, strict=True)):
            out = out + weight * zero(head(query, audio[index]) * regions.masks[:, index, :, None])
        return out + self.ff(self.norm3(out))
