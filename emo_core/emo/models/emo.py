"""EMO, composed: ReferenceNet, Backbone, Face Locator, audio and speed (the paper's overview figure).

Shape legend: B clips, F frames, M motion frames, C latent channels, H W latent side.
"""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ..conditions.clip import Conditions
from ..config import EMOConfig
from .attention import Layers
from .audio_layers import AudioProjection, Regions
from .backbone import Backbone, BackboneSite, ClipContext, SiteContext
from .face_locator import FaceLocator
from .identity import IdentityProjection
from .reference_net import ReferenceNet, SiteFeatures
from .speed_layers import SpeedEncoder


@dataclass(frozen=True, slots=True)
class References:
    """What ReferenceNet gives for a clip, per site."""

    references: list[Tensor | None]
    """Tokens (B, N, C); (2 B, N, C), without and with the face's identity, where the model has identity tokens."""
    motions: list[Tensor | None]
    """Maps (B, M, C, H, W)."""
    motions_without: list[Tensor | None]
    """The same for the pass without conditions."""


class EMO(nn.Module):
    """The whole network, without autoencoder and wav2vec."""

    def __init__(self, config: EMOConfig, *, ops: Layers = nn) -> None:
        super().__init__()
        self.config = config
        self.reference_net = ReferenceNet(config, ops=ops)
        self.backbone = Backbone(config, ops=ops)
        self.face_locator = FaceLocator(
            config.locator_widths, config.unet.widths[0], channels=config.locator_channels, ops=ops
        )
        self.audio_projection = AudioProjection(config.audio, ops=ops)
        if config.block.identity:
            self.identity_projection = IdentityProjection(config.identity, ops=ops)
        if config.speed.layers:
            self.speed_encoder = SpeedEncoder(config.speed, ops=ops)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Trade time for memory in training: recompute each site's activations in the backward pass."""
        self.reference_net.gradient_checkpointing = enabled
        self.backbone.gradient_checkpointing = enabled

    def context(self, conditions: Conditions) -> ClipContext:
        """Compute, once per clip, all that the denoising steps read."""
        identity = self._identity(conditions)
        features = self._reference_features(conditions, identity)
        audio = None if conditions.audio is None else self.audio_projection(conditions.audio).flatten(0, 1)
        face = None if conditions.mask is None else self.face_locator(conditions.mask)
        known = None if identity is None else identity[0]
        context = self._sites(conditions, features.references, features.motions, audio, known)
        if self.config.diffusion.guidance != "joint":
            return ClipContext(context, face)
        # Without conditions: no reference, an unknown face, zero audio tokens, no face region; the motion frames stay.
        nobody = None if identity is None else identity[1]
        silence = None if audio is None else torch.zeros_like(audio)
        nothing = [None] * len(features.references)
        without = ClipContext(
            self._sites(conditions, nothing, features.motions_without, silence, nobody),
            None if face is None else torch.zeros_like(face),
        )
        return ClipContext(context, face, without)

    def forward(self, noisy: Tensor, timesteps: Tensor, context: ClipContext) -> Tensor:
        """Predict epsilon or v for noisy latents (B, F, C, H, W) at timesteps (B,)."""
        return self.backbone.denoise(noisy, timesteps, context)

    def _identity(self, conditions: Conditions) -> tuple[Tensor, Tensor] | None:
        """Identity tokens (B, T, D) of the face, and of nobody."""
        if not self.config.block.identity:
            return None
        nobody = conditions.reference.new_zeros(len(conditions.reference), self.config.identity.embedding)
        face = nobody if conditions.identity is None else conditions.identity
        return self.identity_projection(face), self.identity_projection(nobody)

    def _sites(
        self,
        conditions: Conditions,
        references: list[Tensor | None],
        motions: list[Tensor | None],
        audio: Tensor | None,
        identity: Tensor | None,
    ) -> tuple[SiteContext, ...]:
        with_speed = self.config.speed.layers and conditions.speed is not None
        speed = self.speed_encoder(conditions.speed) if with_speed else None

        def site_context(index: int, site: BackboneSite) -> SiteContext:
            motion, reference = motions[index], references[index]
            speed_kv = (
                None
                if speed is None or motion is None or site.temporal is None
                else site.temporal.speed_keys_values(speed)
            )
            if site.spatial is None:
                return SiteContext(motion=motion, speed=speed_kv)
            block, regions = site.spatial.block, None
            if audio is not None and site.regions is not None:
                masks = rearrange(conditions.regions[site.level], "b f r h w -> (b f) r (h w)")
                regions = Regions(masks, conditions.region_weights)
            speaks = block.attn_audio if site.regions is None else site.regions.block
            return SiteContext(
                reference=None if reference is None else block.reference_keys_values(reference),
                audio=None if audio is None else speaks.keys_values(audio),
                motion=motion,
                speed=speed_kv,
                identity=None if identity is None else block.attn_id.keys_values(identity),
                regions=regions,
            )

        return self.backbone.contexts(site_context)

    def _reference_features(self, conditions: Conditions, identity: tuple[Tensor, Tensor] | None) -> References:
        """One pass of ReferenceNet over the portrait and the motion frames."""
        pictures, motion, known = conditions.reference[:, None], conditions.motion, conditions.motion_known
        with_motion = motion is not None and (identity is not None or known is None or bool(known.any()))
        if with_motion:
            pictures = torch.cat([pictures, motion], dim=1)
        if identity is not None:
            found = self._references_of(pictures, *identity)
            nothing = [None] * len(found.references)
            return found if with_motion else References(found.references, nothing, nothing)
        per_clip = pictures.shape[1]
        features = self.reference_net.features(rearrange(pictures, "b p c h w -> (b p) c h w"))
        references = [None if f.tokens is None else f.tokens[::per_clip] for f in features]
        if motion is None:
            motions = [None] * len(features)
        elif not with_motion:
            motions = [_zero_maps(f, motion.shape[1]) for f in features]
        else:
            motions = [_motion_maps(f, per_clip, known) for f in features]
        return References(references, motions, motions)

    def _references_of(self, pictures: Tensor, face: Tensor, nobody: Tensor) -> References:
        """Portrait and motion frames with and without the face's identity, as Hallo computes them.

        Its ReferenceNet sees [portrait, motion frames] twice, the first time for the pass without conditions; counted over both,
        every second picture is given the face's tokens, the others nobody's. Both portraits are references.
        """
        count = pictures.shape[1]
        tokens = torch.stack([face if row % 2 else nobody for row in range(2 * count)], dim=1)
        features = self.reference_net.features(
            repeat(pictures, "b p c h w -> (b twice p) c h w", twice=2), rearrange(tokens, "b p t d -> (b p) t d")
        )
        maps = [rearrange(f.stream, "(b p) c h w -> b p c h w", p=2 * count) for f in features]
        references = [None if f.tokens is None else f.tokens[::count] for f in features]
        return References(references, [m[:, count + 1 :] for m in maps], [m[:, 1:count] for m in maps])


def _zero_maps(features: SiteFeatures, count: int) -> Tensor:
    batch, *shape = features.stream.shape
    return features.stream.new_zeros(batch, count, *shape)


def _motion_maps(features: SiteFeatures, per_clip: int, known: Tensor | None) -> Tensor:
    maps = rearrange(features.stream, "(b p) c h w -> b p c h w", p=per_clip)[:, 1:]
    return maps if known is None else maps * known.to(maps)[:, None, None, None, None]
