"""The picture autoencoder: diffusers' AutoencoderKL or AutoencoderTiny behind encode and decode.

Shape legend: B images, H W picture side in pixels, C latent channels, h w latent side (H / factor), p patch, r fold.
"""

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from einops import rearrange
from torch import Tensor, nn

from ..config import VAEConfig


class VAE(nn.Module):
    """Pictures in [-1, 1] to latents of about unit variance, and back.

    With `patch` p > 1 the pictures are folded p x p into channels first (space to depth), which makes the small
    autoencoder of emo-mini several times cheaper than full-resolution convolutions; `fold` does the same to the
    latents, so that the UNet runs on a coarser grid.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.net = _network(config)

    def encode(self, images: Tensor) -> Tensor:
        """Encode pictures deterministically (the mode of the posterior).

        Args:
            images: (B, 3, H, W) in [-1, 1], H and W multiples of the config's factor.

        Returns:
            (B, C, h, w) latents, scaled for the Backbone.
        """
        encoded = self.net.encode(_fold(images, self.config.patch))
        latents = encoded.latents if self.config.kind == "tiny" else encoded.latent_dist.mode()
        return _fold(latents, self.config.fold) * self.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Decode (B, C, h, w) scaled latents to (B, 3, H, W) pictures, about [-1, 1], not clamped."""
        decoded = self.net.decode(_unfold(latents / self.config.scaling_factor, self.config.fold)).sample
        return _unfold(decoded, self.config.patch)


def _fold(x: Tensor, size: int) -> Tensor:
    return rearrange(x, "b c (h p) (w q) -> b (c p q) h w", p=size, q=size)


def _unfold(x: Tensor, size: int) -> Tensor:
    return rearrange(x, "b (c p q) h w -> b c (h p) (w q)", p=size, q=size)


def _network(config: VAEConfig) -> nn.Module:
    channels = 3 * config.patch**2
    if config.kind == "tiny":
        return AutoencoderTiny(
            in_channels=channels,
            out_channels=channels,
            latent_channels=config.latent_channels,
            encoder_block_out_channels=config.widths,
            decoder_block_out_channels=config.widths[::-1],
            num_encoder_blocks=config.encoder_blocks,
            num_decoder_blocks=config.decoder_blocks,
            scaling_factor=1.0,
        )
    levels: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * len(config.widths),
        "up_block_types": ("UpDecoderBlock2D",) * len(config.widths),
    }
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        latent_channels=config.latent_channels,
        block_out_channels=config.widths,
        layers_per_block=2,
        **levels,
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
def decode_frames(vae: VAE, latents: Tensor, batch: int = 8) -> Tensor:
    """Decode a clip in batches of frames, so that memory does not grow with its length.

    Args:
        vae: the autoencoder.
        latents: (F, C, h, w), any dtype.
        batch: frames decoded together.

    Returns:
        (F, 3, H, W) float32 in [0, 1].
    """
    dtype = next(vae.parameters()).dtype
    return torch.cat([vae.decode(part.to(dtype)).float().add(1).div(2).clamp(0, 1) for part in latents.split(batch)])
