"""Model and noise parametrisation, together: `forward` for sampling, `loss` for training.

Shape legend: B clips, F frames, C latent channels, H W latent side.
"""

from collections.abc import Mapping

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from ..conditions.clip import Conditions
from ..models.context import ClipContext
from ..models.emo import EMO
from .noise_schedule import NoiseSchedule


class Denoiser(nn.Module):
    """EMO with its noise schedule: x_t = a_t x_0 + s_t e, a_t^2 + s_t^2 = 1.

    The network predicts e (epsilon), v = a_t e - s_t x_0 (arXiv 2202.00512) or x_0 (sample), as its config says. In a model with a
    guide, x_0 is the residual (latent - guide) / scale: a network that gives zeros copies the guide.
    """

    def __init__(self, emo: EMO) -> None:
        super().__init__()
        self.emo = emo
        self.diffusion = emo.config.diffusion
        self.schedule = NoiseSchedule.of(self.diffusion)

    def forward(self, noisy: Tensor, timesteps: Tensor, context: ClipContext) -> Tensor:
        """Predict epsilon, v or x_0 in float32 for noisy latents (B, F, C, H, W) at timesteps (B,)."""
        return self.emo(noisy.to(self.dtype), timesteps.to(noisy.device), context).float()

    @property
    def dtype(self) -> torch.dtype:
        """Of the network's weights."""
        return self.emo.backbone.conv_in.weight.dtype

    def clean(self, noisy: Tensor, prediction: Tensor, timestep: int | Tensor) -> Tensor:
        """The x_0 that a prediction implies; noisy and prediction are (B, F, C, H, W), timestep is one number."""
        return self.schedule.clean(noisy, prediction, self.schedule.at(int(timestep)))

    def residual(self, latents: Tensor, guide: Tensor | None) -> Tensor:
        """The x_0 of latents (B, F, C, H, W): their scaled difference from the guide (B, F or 1, C, H, W), or themselves without one."""
        return latents if guide is None else (latents - guide.to(latents)) / self.emo.config.guide.scale

    def restored(self, residual: Tensor, guide: Tensor | None) -> Tensor:
        """The latents that have this x_0: the inverse of `residual`."""
        return residual if guide is None else guide.to(residual) + self.emo.config.guide.scale * residual

    def loss(
        self,
        clean: Tensor,
        conditions: Conditions,
        *,
        noise: Tensor,
        timesteps: Tensor,
        weight: Tensor | None = None,
        keep: Mapping[str, Tensor] | None = None,
        target: Tensor | None = None,
    ) -> Tensor:
        """Squared error of the prediction, per clip; reduction and per-sample weights are the trainer's.

        Args:
            clean: (B, F, C, H, W) latents.
            conditions: of the clips.
            noise: as `clean`.
            timesteps: (B,).
            weight: broadcasts to (B, F, 1, H, W), for instance heavier around the mouth; None: all alike.
            keep: by condition: (B,) 0 drops it, so that guidance can be trained.
            target: (B, F, C, H, W) a teacher's prediction; None is the true target.

        Returns:
            (B,) weighted means.
        """
        context = self.emo.context(conditions).keep(**(keep or {}))
        clean = self.residual(clean, context.guide)
        prediction = self(self.schedule.add_noise(clean, noise, timesteps), timesteps, context)
        target = self.schedule.target(clean, noise, timesteps) if target is None else target
        error = (prediction - target).square()
        error = reduce(error, "b f c h w -> b f h w", "mean")
        if weight is None:
            return reduce(error, "b f h w -> b", "mean")
        weight = rearrange(weight, "b f 1 h w -> b f h w").expand_as(error)
        return reduce(error * weight, "b f h w -> b", "sum") / reduce(weight, "b f h w -> b", "sum")
