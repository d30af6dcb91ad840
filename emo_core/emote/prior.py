"""A prior of motion: a temporal variational autoencoder of coefficients, after FLINT (EMOTE, arXiv 2306.08990, section 3.2).

Each latent stands for a patch of frames. Encoder and decoder are a linear map of the patch plus a correction by a transformer layer, so a
sound can be mapped to latents in closed form. Files keep the decoder only.

Shape legend: B samples, F frames, N patches, P frames of a patch, K coefficients, Z latent channels.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from .config import EmoteConfig
from .distance_attention import DistanceLayer


class MotionDecoder(nn.Module):
    """Latents to coefficients."""

    def __init__(self, config: EmoteConfig, *, count: int, latent: int) -> None:
        """`count` is K, `latent` is Z."""
        super().__init__()
        self.patch, width = config.patch, config.prior_width
        self.linear = nn.Linear(latent, self.patch * count)
        self.spread = nn.Linear(latent, self.patch * width)
        self.layer = DistanceLayer(width, config.prior_heads)
        self.smooth = nn.Conv1d(width, width, 5, padding=2)
        self.correct = nn.Linear(width, count)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, N, Z) to (B, N P, K); not limited to 0 .. 1."""
        plain = rearrange(self.linear(latents), "b n (p k) -> b (n p) k", p=self.patch)
        hidden = self.layer(rearrange(self.spread(latents), "b n (p c) -> b (n p) c", p=self.patch))
        hidden = rearrange(self.smooth(rearrange(hidden, "b f c -> b c f")), "b c f -> b f c")
        return plain + self.correct(nn.functional.gelu(hidden))


class MotionEncoder(nn.Module):
    """Coefficients to latents. Only training uses it."""

    def __init__(self, config: EmoteConfig, *, count: int, latent: int) -> None:
        """`count` is K, `latent` is Z."""
        super().__init__()
        self.patch, width = config.patch, config.prior_width
        self.linear = nn.Linear(self.patch * count, latent)
        self.gather = nn.Conv1d(count, width, 5, padding=2)
        self.layer = DistanceLayer(width, config.prior_heads)
        self.correct = nn.Linear(self.patch * width, latent)
        self.spread = nn.Parameter(torch.full((latent,), -3.0))
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    def forward(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, K) to mean and logarithm of the variance of the latents, (B, N, Z) each."""
        hidden = nn.functional.gelu(rearrange(self.gather(rearrange(coefficients, "b f k -> b k f")), "b c f -> b f c"))
        hidden = rearrange(self.layer(hidden), "b (n p) c -> b n (p c)", p=self.patch)
        plain = self.linear(rearrange(coefficients, "b (n p) k -> b n (p k)", p=self.patch))
        mean = plain + self.correct(hidden)
        return mean, self.spread.expand_as(mean)
