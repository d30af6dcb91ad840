"""The noise schedule of a model: how much signal and noise a latent has at each of the T training timesteps.

    x_t = a_t x_0 + s_t e,  a_t^2 + s_t^2 = 1,  a_t^2 the cumulative product of 1 - beta (arXiv 2006.11239)

Shape legend: B clips, T training timesteps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import DiffusionConfig


@dataclass(frozen=True, slots=True)
class SignalAndNoise:
    """a and s of one timestep, float32 values."""

    signal: float
    noise: float


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSchedule:
    """The cumulative products of a model's alphas, and its parametrisation."""

    alphas_cumprod: Tensor
    """(T,) float32 on the CPU: a_t^2."""
    prediction: str
    """epsilon, v_prediction or sample, as in `DiffusionConfig`."""

    @classmethod
    def of(cls, config: DiffusionConfig) -> "NoiseSchedule":
        """The schedule that a model is trained with."""
        betas = _betas(config)
        if config.zero_terminal_snr:
            betas = _zero_terminal_snr(betas)
        return cls(torch.cumprod(1 - betas, dim=0), config.prediction)

    def at(self, timestep: int) -> SignalAndNoise:
        """Signal and noise of a timestep."""
        power = self.alphas_cumprod[timestep]
        return SignalAndNoise(power.sqrt().item(), (1 - power).sqrt().item())

    def clean(self, noisy: Tensor, prediction: Tensor, level: SignalAndNoise) -> Tensor:
        """The x_0 that the network's output (epsilon, v or x_0) for `noisy` implies, where a^2 + s^2 = 1."""
        if self.prediction == "sample":
            return prediction
        if self.prediction == "v_prediction":
            return level.signal * noisy - level.noise * prediction
        return (noisy - level.noise * prediction) / level.signal

    def noise(self, noisy: Tensor, prediction: Tensor, level: SignalAndNoise) -> Tensor:
        """The e that the network's output implies."""
        if self.prediction == "sample":
            return (noisy - level.signal * prediction) / level.noise
        if self.prediction == "v_prediction":
            return level.signal * prediction + level.noise * noisy
        return prediction

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Latents (B, ...) with noise of the same shape, at timesteps (B,)."""
        signal, scale = self._levels(timesteps, clean)
        return signal * clean + scale * noise

    def target(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network is to give for latents (B, ...) at timesteps (B,): the noise, v or the latents themselves."""
        if self.prediction == "sample":
            return clean
        return noise if self.prediction == "epsilon" else self.velocity(clean, noise, timesteps)

    def velocity(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The velocity v = a e - s x_0 (arXiv 2202.00512) of latents (B, ...) at timesteps (B,)."""
        signal, scale = self._levels(timesteps, clean)
        return signal * noise - scale * clean

    def _levels(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise of timesteps (B,), each (B, 1, ...), in the dtype of `like` and on its device."""
        powers = self.alphas_cumprod.to(like.device)[timesteps.to(like.device)]
        powers = powers.view(-1, *(1 for _ in like.shape[1:]))
        return powers.sqrt().to(like.dtype), (1 - powers).sqrt().to(like.dtype)


def _betas(config: DiffusionConfig) -> Tensor:
    """(T,) float32."""
    first, last, count = config.beta_start, config.beta_end, config.train_timesteps
    if config.beta_schedule == "linear":
        return torch.linspace(first, last, count, dtype=torch.float32)
    return torch.linspace(first**0.5, last**0.5, count, dtype=torch.float32) ** 2


def _zero_terminal_snr(betas: Tensor) -> Tensor:
    """Shift and scale a_t so that a_T is 0 and a_1 stays (arXiv 2305.08891, algorithm 1)."""
    signal = torch.cumprod(1 - betas, dim=0).sqrt()
    first, last = signal[0].clone(), signal[-1].clone()
    powers = ((signal - last) * (first / (first - last))) ** 2
    alphas = torch.cat([powers[:1], powers[1:] / powers[:-1]])
    return 1 - alphas
