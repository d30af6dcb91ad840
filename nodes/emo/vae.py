"""The checkpoint's VAE with the interface of the host's, for VAE Encode, VAE Decode and similar nodes."""

from typing import Any

import comfy.model_management as mm
import comfy.sd
import torch
from einops import rearrange
from torch import Tensor

from ...emo_core.emo.models.guide_pictures import Guide
from ...emo_core.emo.models.vae import VAE, decode_frames
from ...emo_core.errors import InputError
from ..host.patcher import Reload, managed

BATCH = 8
"""Pictures encoded at a time, so that memory does not grow with the length of a video."""


def host_vae(vae: VAE, reload: Reload | None = None) -> comfy.sd.VAE:
    """A full-size VAE (AutoencoderKL, diffusers' keys) as the host's own, which can tile and handles full memory.

    Args:
        vae: of the checkpoint.
        reload: as for `managed`.
    """
    host = comfy.sd.VAE(sd=vae.net.state_dict())
    if hasattr(host.patcher, "cached_patcher_init"):
        host.patcher.cached_patcher_init = reload
    return host


class EmoVAE:
    """The small autoencoder of emo-mini, with the methods and attributes of the host's VAE that its nodes use.

    Select VAE Device makes a shallow copy and sets `patcher`, `first_stage_model` and `device`.
    """

    latent_dim = 2
    output_channels = 3
    vae_dtype = torch.float32
    downscale_index_formula = None
    upscale_index_formula = None

    def __init__(self, vae: VAE, reload: Reload | None = None) -> None:
        self._factor = vae.config.factor
        self._scale = vae.config.scaling_factor
        self.latent_channels = vae.config.channels
        self.downscale_ratio = self.upscale_ratio = self._factor
        self.first_stage_model = vae
        self.device = mm.vae_device()
        self.output_device = mm.intermediate_device()
        self.patcher = managed(vae, self.device, mm.vae_offload_device(), reload)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) in [0, 1] to unscaled latents (B, C, h, w). Sides are cropped to a multiple of the factor, as by the host.

        Raises:
            InputError: if the batch is empty.
        """
        if not pixels.numel():
            raise InputError("VAE: got an empty batch of pictures; check the node that is wired to `pixels`")
        height, width = (side // self._factor * self._factor for side in pixels.shape[1:3])
        top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
        pixels = rearrange(pixels[:, top : top + height, left : left + width, :3], "b h w c -> b c h w")
        vae = self._load()
        with torch.no_grad():
            parts = (part.to(self._weights_device, torch.float32) * 2 - 1 for part in pixels.split(BATCH))
            return torch.cat([(vae.encode(part) / self._scale).to(self.output_device) for part in parts])

    def decode(self, latents: Tensor, vae_options: dict[str, Any] | None = None) -> Tensor:
        """Unscaled latents (B, C, h, w) to (B, H, W, 3) in [0, 1]. `vae_options` are for other VAEs.

        Raises:
            InputError: if the latents have another number of channels.
        """
        if latents.shape[1] != self.latent_channels:
            raise InputError(
                f"VAE: got latents of {latents.shape[1]} channels; this VAE decodes {self.latent_channels}; use the "
                "checkpoint's VAE"
            )
        self._load()
        return self.decode_loaded(latents)

    def decode_loaded(self, latents: Tensor, guide: Guide | None = None) -> Tensor:
        """As `decode`, without loading: the caller has loaded `patcher`. `guide` is for `decode_beside`."""
        latents = latents.to(self._weights_device, torch.float32) * self._scale
        decoded = decode_frames(self.patcher.model, latents, guide=guide)
        return rearrange(decoded, "b c h w -> b h w c").to(self.output_device)

    def decode_beside(self, latents: Tensor, guide: Guide) -> Tensor:
        """As `decode`, beside B guide pictures, whose details a decoder with `guide_width` keeps."""
        self._load()
        return self.decode_loaded(latents, guide)

    def encode_tiled(self, pixels: Tensor, **_tiles: int | None) -> Tensor:
        """As `encode`: pictures of this size need no tiles."""
        return self.encode(pixels)

    def decode_tiled(self, latents: Tensor, **_tiles: int | None) -> Tensor:
        """As `decode`."""
        return self.decode(latents)

    def spacial_compression_encode(self) -> int:
        """Picture side over latent side (the host's spelling)."""
        return self._factor

    def spacial_compression_decode(self) -> int:
        """Picture side over latent side."""
        return self._factor

    def temporal_compression_decode(self) -> None:
        """None: frames are encoded one by one."""

    def throw_exception_if_invalid(self) -> None:
        """Does nothing: `load_checkpoint` has checked the weights."""

    def get_sd(self) -> dict[str, Tensor]:
        """The weights, for Save VAE and Save Checkpoint."""
        return self.patcher.model.state_dict()

    def model_size(self) -> int:
        """Bytes of the weights."""
        return self.patcher.model_size()

    def is_dynamic(self) -> bool:
        """Whether the host moves the weights piece by piece. Older hosts do not ask."""
        return self.patcher.is_dynamic()

    @property
    def _weights_device(self) -> torch.device:
        """The device of the weights: with --novram the host does not move weights that cannot stream."""
        return next(self.patcher.model.parameters()).device

    def _load(self) -> VAE:
        mm.load_models_gpu([self.patcher], force_full_load=True)  # It is small: moving it piece by piece gains nothing.
        return self.patcher.model
