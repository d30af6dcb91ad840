"""The loss of a stage: the Denoiser's squared error, weighted per sample.

Shape legend: B clips, F frames, M motion frames, P = 1 + M + F pictures, C h w latent, S picture side.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...audio.encoder import AudioEncoder
from ...audio.features import AudioFeatures
from ...media.sound import Sound
from ..conditions.clip import Conditions
from ..config import DiffusionConfig, EMOConfig
from ..models.vae import VAE
from ..sampling.denoiser import Denoiser
from ..sampling.guidance import Guider
from .batch import Batch
from .stages import precision_of


@dataclass(frozen=True, slots=True)
class Frozen:
    """The encoders of the inputs, which never train with the network."""

    vae: VAE
    audio_encoder: AudioEncoder


class Objective(nn.Module):
    """The Denoiser's loss as a `forward`, which is what distributed wrappers synchronise."""

    def __init__(self, denoiser: Denoiser, min_snr: float, teacher: Denoiser | None = None) -> None:
        """Of a network to train. A `teacher` replaces the true target by its own prediction with audio guidance."""
        super().__init__()
        self.denoiser = denoiser
        self.min_snr = min_snr
        self._teacher = (teacher,)  # In a tuple it is no part of this module: it neither trains nor is saved.

    def forward(self, batch: Batch, clean: Tensor, conditions: Conditions) -> Tensor:
        """Weighted losses (B,) of clean latents (B, F, C, h, w)."""
        with quick_attention(clean.device):
            loss = self.denoiser.loss(
                clean,
                conditions,
                noise=batch.noise,
                timesteps=batch.timesteps,
                weight=batch.weight,
                keep=batch.keep,
                target=self._teacher_target(batch, clean, conditions),
            )
        alphas = self.denoiser.schedule.alphas_cumprod.to(batch.timesteps.device)[batch.timesteps]
        return loss * snr_weights(alphas, self.denoiser.diffusion, self.min_snr)

    @torch.no_grad()
    def _teacher_target(self, batch: Batch, clean: Tensor, conditions: Conditions) -> Tensor | None:
        """The teacher's prediction with audio guidance (B, F, C, h, w)."""
        (teacher,) = self._teacher
        if teacher is None:
            return None
        context = teacher.emo.context(conditions).keep(**batch.keep)
        clean = teacher.residual(clean, context.guide)
        noisy = teacher.schedule.add_noise(clean, batch.noise, batch.timesteps)
        full = teacher(noisy, batch.timesteps, context)
        guider = Guider("audio", teacher.diffusion.audio_scale)
        return full + guider.delta(full, teacher(noisy, batch.timesteps, guider.without(context)))


def snr_weights(alphas: Tensor, diffusion: DiffusionConfig, gamma: float) -> Tensor:
    """Min-SNR weights, one per sample (arXiv 2303.09556), with SNR = a^2 / s^2.

    epsilon: min(SNR, gamma) / SNR. v: min(SNR + 1, gamma) / (SNR + 1), as the open peers have it; the paper's own
    min(SNR, gamma) / (SNR + 1) is zero at zero terminal SNR, where sampling starts, so nothing would be learnt there.
    x_0: min(SNR + 1, gamma), which is v's weight, as errors of v are those of x_0 times the root of SNR + 1.

    Args:
        alphas: (B,) cumulative products of the alphas, a^2.
        diffusion: parametrisation.
        gamma: 0 for no weighting.
    """
    if gamma <= 0:
        return torch.ones_like(alphas)
    snr = alphas / (1 - alphas)
    if diffusion.prediction == "sample":
        return (snr + 1).clamp(max=gamma)
    if diffusion.prediction == "v_prediction":
        snr = snr + 1
    return snr.clamp(max=gamma) / snr


def quick_attention(device: torch.device) -> AbstractContextManager:
    """On CPUs bf16 attention over short rows is slow in fused kernels; the plain formula is not."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def in_precision(precision: str, device: torch.device) -> AbstractContextManager:
    """Autocast to the precision that the network trains in."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision_of(precision))
    return nullcontext() if kind is None else torch.autocast(device.type, kind)


@torch.no_grad()
def inputs(batch: Batch, model: EMOConfig, frozen: Frozen) -> tuple[Tensor, Conditions]:
    """Clean target latents (B, F, C, h, w) and conditions of a batch. Pictures and sounds that are not cached are encoded."""
    latents = batch.latents if batch.latents is not None else _encode_pictures(batch.pictures, frozen.vae)
    frames = batch.noise.shape[1]
    reference, motion, clean = latents[:, 0], latents[:, 1:-frames], latents[:, -frames:]
    if batch.motion_noise is not None:
        level = batch.motion_level
        motion = ((1 - level**2).sqrt() * motion + level * batch.motion_noise) * batch.motion_keep
        motion = torch.lerp(motion, reference[:, None], batch.motion_anchor)
    known = batch.motion_known
    if model.temporal.first_clip == "reference" and motion.shape[1]:
        motion = torch.where(known[:, None, None, None, None], motion, reference[:, None])
        known = None
    values = {"reference": reference, **batch.conditions}
    if batch.sounds is not None:
        values["audio"] = _encode_sounds(batch, model, frozen.audio_encoder)
    return clean, Conditions(
        values, motion=motion if motion.shape[1] else None, motion_known=None if known is None else known.cpu()
    )


def _encode_pictures(pictures: Tensor, vae: VAE) -> Tensor:
    """(B, P, 3, S, S) uint8 to (B, P, C, h, w)."""
    dtype = next(vae.parameters()).dtype
    flat = rearrange(pictures, "b p c h w -> (b p) c h w").to(dtype) / 127.5 - 1
    encoded = torch.cat([vae.encode(part) for part in flat.split(16)])
    return rearrange(encoded, "(b p) c h w -> b p c h w", b=len(pictures)).float()


def _encode_sounds(batch: Batch, model: EMOConfig, encoder: AudioEncoder) -> Tensor:
    parts = []
    for sound, windows in zip(batch.sounds, batch.windows, strict=True):
        features = AudioFeatures(Sound(sound.cpu().numpy()), encoder, fps=model.fps, window=model.audio.window)
        low, high = int(windows.min()), int(windows.max())
        parts.append(features.frame_features(low, high + 1)[windows - low])
    return torch.stack(parts)
