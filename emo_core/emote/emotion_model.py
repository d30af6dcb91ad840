"""Emotion on speech, after EMOTE (arXiv 2306.08990, section 3.3): per frame, emotion · strength ‖ style joins the audio stream.

The network adds to the content model's motion. It is the difference of two passes, with the emotion and without, so a neutral face is
exactly the content model's; its last layer starts at zero, so an untrained one changes nothing.

Shape legend: B samples, F frames (a multiple of P), I inputs of `listening`, M curves of the mouth, E emotions, S numbers of a style,
Z latent channels, K coefficients of `action_units.CURVES`.
"""

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ..emotion import EXPRESSIVE
from .action_units import CURVES, STYLE
from .config import EmoteConfig
from .distance_attention import DistanceLayer
from .prior import MotionDecoder

MOUTH_SCALE = 4.0
"""Curves of the mouth are about 1/4."""


class EmotionModel(nn.Module):
    """Sound, the content model's mouth, emotion and style to differences of coefficients."""

    def __init__(self, config: EmoteConfig) -> None:
        super().__init__()
        width, reach = config.emotion_width, config.patch // 2
        self.register_buffer("mean", torch.zeros(config.inputs))
        self.register_buffer("scale", torch.ones(config.inputs))
        self.listen = nn.Linear(config.inputs + len(config.curves) + 1, width)
        self.feel = nn.Linear(len(EXPRESSIVE) + STYLE, width)
        self.express = nn.Linear(len(EXPRESSIVE) * (1 + STYLE), width)
        self.layers = nn.ModuleList(
            DistanceLayer(2 * width, config.emotion_heads) for _ in range(config.emotion_layers)
        )
        self.squash = nn.Conv1d(2 * width, config.emotion_latent, 2 * config.patch, stride=config.patch, padding=reach)
        self.decoder = MotionDecoder(config, count=len(CURVES), latent=config.emotion_latent)
        for part in (self.squash.weight, self.squash.bias):
            nn.init.zeros_(part)

    def forward(self, inputs: Tensor, mouth: Tensor, rest: Tensor, emotion: Tensor, style: Tensor) -> Tensor:
        """What the emotion adds.

        Args:
            inputs: (B, F, I) of `listening`.
            mouth: (B, F, M) of the content model.
            rest: (B, F) 1 where nobody speaks for long, 0 in speech; see `Prosody.rest`.
            emotion: (B, F, E) strengths.
            style: (B, S).

        Returns:
            (B, F, K), zeros where and around where no emotion is.
        """
        heard = (inputs - self.mean) * self.scale
        sound = self.listen(torch.cat([heard, mouth * MOUTH_SCALE, rest[..., None]], dim=-1))
        both = torch.cat([emotion, torch.zeros_like(emotion)])
        feeling = self._feeling(both, torch.cat([style, style]))
        hidden = torch.cat([repeat(sound, "b f c -> (two b) f c", two=2), feeling], dim=-1)
        for layer in self.layers:
            hidden = layer(hidden)
        latents = rearrange(self.squash(rearrange(hidden, "b f c -> b c f")), "b z n -> b n z")
        with_emotion, without = self.decoder(latents).chunk(2)
        return with_emotion - without

    def _feeling(self, emotion: Tensor, style: Tensor) -> Tensor:
        """(B, F, E) and (B, S) to (B, F, C): a linear layer of both, and of their products."""
        manner = repeat(style, "b s -> b f s", f=emotion.shape[1])
        product = rearrange(emotion[..., None] * manner[..., None, :], "b f e s -> b f (e s)")
        return self.feel(torch.cat([emotion, manner], dim=-1)) + self.express(torch.cat([emotion, product], dim=-1))
