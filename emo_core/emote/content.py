"""Sound to motion of the mouth: a linear path, and a transformer's correction that starts at zero, into the prior's latents.

No step depends on an earlier output, so a sound of any length is worked on in windows.

Shape legend: B samples, F frames (a multiple of P), N = F / P patches, I inputs, Z latent channels, K coefficients.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from .config import EmoteConfig
from .distance_attention import DistanceLayer
from .prior import MotionDecoder


class Mouth(NamedTuple):
    """A window of motion."""

    coefficients: Tensor
    """(B, F, K), not limited."""
    closing: Tensor
    """(B, F) logit that the lips meet: m, b, p."""
    hidden: Tensor
    """(B, F, width) of the transformer's last layer: the sound as lips need it, from which other mouths can be read."""


class ContentModel(nn.Module):
    """Inputs of `listening` to coefficients of lips and jaw."""

    def __init__(self, config: EmoteConfig, dropout: float = 0.0) -> None:
        super().__init__()
        count, reach = len(config.curves), config.patch // 2
        self.register_buffer("mean", torch.zeros(config.inputs))
        self.register_buffer("scale", torch.ones(config.inputs))
        self.linear = nn.Linear(config.inputs, count)
        hidden = config.closing_width
        self.closing = nn.Sequential(nn.Linear(config.inputs, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.squash = nn.Conv1d(count, config.latent, 2 * config.patch, stride=config.patch, padding=reach)
        self.style = nn.Embedding(len(config.styles), config.style_width)
        self.style_shift = nn.Linear(config.style_width, config.latent)
        self.style_gain = nn.Linear(config.style_width, 1)
        self.listen = nn.Linear(config.inputs, config.width)
        self.manner = nn.Linear(config.style_width + config.free_width, config.width)
        self.drop = nn.Dropout(dropout)
        self.layers = nn.ModuleList(DistanceLayer(config.width, config.heads, dropout) for _ in range(config.layers))
        self.correct = nn.Conv1d(config.width, config.latent, 2 * config.patch, stride=config.patch, padding=reach)
        self.decoder = MotionDecoder(config, count=count, latent=config.latent)
        self.free_width = config.free_width
        for part in (self.correct, self.style_shift, self.style_gain):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)

    def forward(self, inputs: Tensor, style: Tensor, free: Tensor | None = None) -> Mouth:
        """Move the mouth.

        Args:
            inputs: (B, F, I).
            style: (B, style_width), a row of `style.weight` or a mixture of rows.
            free: (B, free_width) of training films; None for zeros.
        """
        heard = (inputs - self.mean) * self.scale
        coarse = rearrange(self.linear(heard), "b f k -> b k f")
        gain = 1 + self.style_gain(style)[:, None]
        latents = rearrange(self.squash(coarse), "b z n -> b n z") * gain + self.style_shift(style)[:, None]
        if free is None:
            free = style.new_zeros(len(style), self.free_width)
        hidden = self.listen(self.drop(heard)) + self.manner(torch.cat([style, free], dim=-1))[:, None]
        for layer in self.layers:
            hidden = layer(hidden)
        latents = latents + rearrange(self.correct(rearrange(hidden, "b f c -> b c f")), "b z n -> b n z")
        return Mouth(self.decoder(latents), self.closing(heard)[..., 0], hidden)
