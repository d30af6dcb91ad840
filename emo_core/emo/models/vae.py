"""The picture autoencoder: Stable Diffusion's or a small one, behind encode and decode.

Shape legend: B images, H W picture side in pixels, C latent channels, h w latent side (H / factor), p patch, r fold.
"""

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from ..config import VAEConfig
from ..finite import check_finite
from .attention import TORCH, Layers
from .autoencoder_kl import AutoencoderKL
from .autoencoder_tiny import AutoencoderTiny
from .guide_pictures import Guide, with_details_of


class VAE(nn.Module):
    """Pictures in [-1, 1] to latents of about unit variance, and back.

    With `patch` p > 1 the pictures are folded p x p into channels first (space to depth), which makes the small
    autoencoder of emo-mini several times cheaper than full-resolution convolutions; `fold` does the same to the
    latents, so that the UNet runs on a coarser grid.
    """

    def __init__(self, config: VAEConfig, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.config = config
        self.net = _network(config, ops)

    def encode(self, images: Tensor) -> Tensor:
        """Encode pictures deterministically (the mode of the posterior).

        Args:
            images: (B, 3, H, W) in [-1, 1], H and W multiples of the config's factor.

        Returns:
            (B, C, h, w) latents, scaled for the Backbone.
        """
        latents = self.net.encode(_fold(images, self.config.patch))
        return _fold(latents, self.config.fold) * self.config.scaling_factor

    def decode(self, latents: Tensor, guide: Tensor | None = None, guide_latents: Tensor | None = None) -> Tensor:
        """Decode scaled latents.

        Args:
            latents: (B, C, h, w).
            guide: (B, 3, H, W) pictures in [-1, 1] beside which a decoder with `guide_width` draws; None for none.
            guide_latents: (B, C, h, w) their scaled latents; None to encode them.

        Returns:
            (B, 3, H, W) pictures, about [-1, 1], not clamped.

        Raises:
            ValueError: for a guide that this decoder cannot read.
        """
        if guide is None:
            return _unfold(self.net.decode(self._unscaled(latents)), self.config.patch)
        if not self.config.guide_width:
            raise ValueError("guide: this decoder reads none; expected None")
        guide_latents = self.encode(guide) if guide_latents is None else guide_latents
        picture = _fold(guide, self.config.patch)
        decoded = self.net.decode_beside(self._unscaled(latents), picture, self._unscaled(guide_latents))
        return with_details_of(guide, _unfold(decoded, self.config.patch), self.config.guide_detail)

    def _unscaled(self, latents: Tensor) -> Tensor:
        return _unfold(latents / self.config.scaling_factor, self.config.fold)


def _fold(x: Tensor, size: int) -> Tensor:
    return rearrange(x, "b c (h p) (w q) -> b (c p q) h w", p=size, q=size)


def _unfold(x: Tensor, size: int) -> Tensor:
    return rearrange(x, "b (c p q) h w -> b c (h p) (w q)", p=size, q=size)


def _network(config: VAEConfig, ops: Layers) -> nn.Module:
    channels = 3 * config.patch**2
    if config.kind == "kl":
        return AutoencoderKL(channels, config.latent_channels, config.widths, ops=ops)
    return AutoencoderTiny(
        channels,
        config.latent_channels,
        config.widths[0],
        config.encoder_blocks,
        config.decoder_blocks,
        guide_width=config.guide_width,
        ops=ops,
    )


@torch.no_grad()
def encode_picture(vae: VAE, picture: np.ndarray, device: torch.device) -> Tensor:
    """(H, W, 3) uint8 to a latent (C, h, w) float32."""
    weight = next(vae.parameters())
    image = rearrange(torch.tensor(picture), "h w c -> 1 c h w").to(device, weight.dtype)
    return vae.encode(image / 255 * 2 - 1)[0].float()


def to_bytes(frames: Tensor) -> np.ndarray:
    """(F, 3, H, W) in [0, 1] to (F, H, W, 3) uint8."""
    return rearrange(frames * 255, "f c h w -> f h w c").round().to(torch.uint8).cpu().numpy()


@torch.no_grad()
def decode_frames(vae: VAE, latents: Tensor, batch: int = 4, *, guide: Guide | None = None) -> Tensor:
    """Decode a clip in batches of frames, so that memory does not grow with its length.

    Args:
        vae: the autoencoder.
        latents: (F, C, h, w), any dtype.
        batch: frames decoded together; on CPUs, more are slower.
        guide: F drawn frames; a decoder without `guide_width` leaves them out.

    Returns:
        (F, 3, H, W) float32 in [0, 1].

    Raises:
        InputError: if the autoencoder gives numbers that are not finite.
    """
    dtype = next(vae.parameters()).dtype
    if guide is None or not vae.config.guide_width:
        decoded = torch.cat([vae.decode(part.to(dtype)).float() for part in latents.split(batch)])
    else:
        latents = latents.to(dtype)
        pairs = zip(latents.split(batch), guide.split(batch, latents), strict=True)
        decoded = torch.cat([vae.decode(part, *own).float() for part, own in pairs])
    return check_finite(decoded, dtype, "autoencoder").add(1).div(2).clamp(0, 1)
