"""What the decoder of the small autoencoder sees of a guide's pixels, so that it need not draw what is already there.

Shape legend: B pictures, P picture channels (3 colours, p x p pixels folded into channels), C latent channels, D width of the decoder,
G width of the features, H W picture side, h w latent side.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from .attention import TORCH, Layers, zero_

COLOURS = 3


@dataclass(frozen=True, slots=True)
class Guide:
    """Drawn frames for the decoder."""

    pictures: np.ndarray
    """(B, H, W, 3) uint8, whole pixels."""
    latents: Tensor
    """(B, C, h, w) of the pictures, scaled as the autoencoder gives them."""

    def split(self, size: int, like: Tensor) -> "list[tuple[Tensor, Tensor]]":
        """Batches of pictures (size, 3, H, W) in [-1, 1] and latents, in the dtype and on the device of `like`."""
        pictures = rearrange(torch.tensor(self.pictures), "b h w c -> b c h w").to(like.device)
        pairs = zip(pictures.split(size), self.latents.split(size), strict=True)
        return [(own.to(like.dtype) / 127.5 - 1, latents.to(like)) for own, latents in pairs]


@dataclass(frozen=True, slots=True)
class GuideMaps:
    """A guide for one pass of the decoder."""

    picture: Tensor
    """(B, P, H, W) in [-1, 1]"""
    features: Tensor
    """(B, G, H, W) at the finest scale."""
    added: tuple[Tensor, ...]
    """(B, D, ...) for each scale of the decoder, coarsest first."""


class GuidePictures(nn.Module):
    """A pyramid of features that are added to the decoder's, and a gate between its picture and the guide's.

    The decoder must see where its latents differ from the guide's own: there its picture counts, elsewhere the guide's. All layers that
    lead to the output start at zero, and the decoder is then as without a guide.
    """

    def __init__(
        self, channels: int, latent_channels: int, width: int, guide_width: int, levels: int, *, ops: Layers = TORCH
    ) -> None:
        """Build the layers.

        Args:
            channels: P.
            latent_channels: C.
            width: D.
            guide_width: G.
            levels: scales of the decoder.
            ops: classes of the layers.
        """
        super().__init__()
        self.first = ops.Conv2d(channels, guide_width, 3, padding=1)
        self.down = nn.ModuleList(
            ops.Conv2d(guide_width, guide_width, 3, padding=1, stride=2) for _ in range(levels - 1)
        )
        # Coarsest first; the coarsest one also sees the latents of the decoded picture and of the guide.
        self.compare = ops.Conv2d(guide_width + 2 * latent_channels, guide_width, 3, padding=1)
        self.added = nn.ModuleList(ops.Conv2d(guide_width, width, 3, padding=1) for _ in range(levels))
        self.gate = ops.Conv2d(width + guide_width, channels // COLOURS, 3, padding=1)
        for layer in (*self.added, self.gate):
            zero_(layer)

    def forward(self, picture: Tensor, latents: Tensor, guide_latents: Tensor) -> GuideMaps:
        """Guide pictures (B, P, H, W), latents to decode and the guide's own (B, C, h, w)."""
        features = [functional.relu(self.first(picture))]
        for layer in self.down:
            features.append(functional.relu(layer(features[-1])))
        finest, coarsest = features[0], features[-1]
        compared = torch.cat([coarsest, guide_latents, latents - guide_latents], dim=1)
        features[-1] = coarsest + functional.relu(self.compare(compared))
        added = tuple(layer(part) for layer, part in zip(self.added, features[::-1], strict=True))
        return GuideMaps(picture, finest, added)

    def mixed(self, decoded: Tensor, stream: Tensor, maps: GuideMaps) -> Tensor:
        """The guide's pixels where the gate is open.

        Args:
            decoded: (B, P, H, W) the decoder's picture in [-1, 1].
            stream: (B, D, H, W) its last features.
            maps: of the guide.
        """
        gate = torch.tanh(self.gate(torch.cat([stream, maps.features], dim=1)))
        return decoded + repeat(gate, "b n h w -> b (c n) h w", c=COLOURS) * (maps.picture - decoded)


def with_details_of(guide: Tensor, picture: Tensor, sigma: float) -> Tensor:
    """A picture (B, 3, H, W) whose details are the guide's: guide + low pass of (picture - guide).

    A network that learns squared errors draws the mean of all mouths it thinks possible. Shape and shade of that mean are right, its fine
    parts are lost; the guide has them.

    Args:
        guide: (B, 3, H, W).
        picture: the same.
        sigma: standard deviation in pixels of the Gaussian; 0 gives the picture.
    """
    if not sigma:
        return picture
    rows, columns = (gaussian_matrix(side, sigma).to(picture) for side in picture.shape[-2:])
    return guide + rows @ (picture - guide) @ columns.T


def gaussian_matrix(side: int, sigma: float) -> Tensor:
    """(side, side) that smooths a line of pixels; beyond its ends they repeat. As products, two lines are faster than a convolution on CPUs."""
    reach, places = math.ceil(3 * sigma), torch.arange(side)
    matrix = torch.zeros(side, side)
    for shift in range(-reach, reach + 1):
        matrix[places, (places + shift).clamp(0, side - 1)] += math.exp(-0.5 * (shift / sigma) ** 2)
    return matrix / matrix.sum(1, keepdim=True)
