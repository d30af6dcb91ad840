"""EMO, composed: ReferenceNet, Backbone, Face Locator, audio and speed (the paper's overview figure).

Shape legend: B clips, F frames, M motion frames, C latent channels, H W latent side.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from ..conditions import Conditions
from ..config import EMOConfig
from .attention import Layers
from .audio_layers import AudioProjection
from .backbone import Backbone, BackboneSite, ClipContext, SiteContext
from .face_locator import FaceLocator
from .reference_net import ReferenceNet, SiteFeatures
from .speed_layers import SpeedEncoder


class EMO(nn.Module):
    """The whole network, without autoencoder and wav2vec."""

    def __init__(self, config: EMOConfig, *, ops: Layers = nn) -> None:
        super().__init__()
        self.config = config
        self.reference_net = ReferenceNet(config.unet, ops=ops)
        self.backbone = Backbone(config, ops=ops)
        self.face_locator = FaceLocator(config.locator_widths, config.unet.widths[0], ops=ops)
        self.audio_projection = AudioProjection(config.audio, ops=ops)
        self.speed_encoder = SpeedEncoder(config.speed, ops=ops)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Trade time for memory in training: recompute each site's activations in the backward pass."""
        self.reference_net.gradient_checkpointing = enabled
        self.backbone.gradient_checkpointing = enabled

    def context(self, conditions: Conditions) -> ClipContext:
        """Compute, once per clip, all that the denoising steps read."""
        references, motions = self._reference_features(conditions)
        audio = None if conditions.audio is None else self.audio_projection(conditions.audio).flatten(0, 1)
        speed = None if conditions.speed is None else self.speed_encoder(conditions.speed)
        face = None if conditions.mask is None else self.face_locator(conditions.mask)

        def site_context(index: int, site: BackboneSite) -> SiteContext:
            motion = motions[index]
            speed_kv = None if speed is None or motion is None else site.temporal.speed_keys_values(speed)
            if site.spatial is None:
                return SiteContext(motion=motion, speed=speed_kv)
            block = site.spatial.block
            return SiteContext(
                reference=block.attn_ref.keys_values(references[index]),
                audio=None if audio is None else block.attn_audio.keys_values(audio),
                motion=motion,
                speed=speed_kv,
            )

        return ClipContext(self.backbone.contexts(site_context), face)

    def forward(self, noisy: Tensor, timesteps: Tensor, context: ClipContext) -> Tensor:
        """Predict epsilon or v for noisy latents (B, F, C, H, W) at timesteps (B,)."""
        return self.backbone.denoise(noisy, timesteps, context)

    def _reference_features(self, conditions: Conditions) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Reference tokens (B, N, C) and motion maps (B, M, C, H, W) per site, from one pass of ReferenceNet."""
        pictures = conditions.reference[:, None]
        known = conditions.motion_known
        with_motion = conditions.motion is not None and (known is None or bool(known.any()))
        if with_motion:
            pictures = torch.cat([pictures, conditions.motion], dim=1)
        per_clip = pictures.shape[1]
        features = self.reference_net.features(rearrange(pictures, "b p c h w -> (b p) c h w"))
        tokens = [None if f.tokens is None else f.tokens[::per_clip] for f in features]
        if conditions.motion is None:
            return tokens, [None] * len(features)
        if not with_motion:
            return tokens, [self._zero_maps(f, conditions.motion.shape[1]) for f in features]
        return tokens, [_motion_maps(f, per_clip, known) for f in features]

    @staticmethod
    def _zero_maps(features: SiteFeatures, count: int) -> Tensor:
        batch, *shape = features.stream.shape
        return features.stream.new_zeros(batch, count, *shape)


def _motion_maps(features: SiteFeatures, per_clip: int, known: Tensor | None) -> Tensor:
    maps = rearrange(features.stream, "(b p) c h w -> b p c h w", p=per_clip)[:, 1:]
    return maps if known is None else maps * known.to(maps)[:, None, None, None, None]
