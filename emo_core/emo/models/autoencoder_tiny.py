"""A small autoencoder of plain convolutions (TAESD, github.com/madebyollin/taesd), with the weights' names of diffusers' AutoencoderTiny.

Shape legend: B pictures, P picture channels, C latent channels, H W picture side, h w latent side.
"""

import torch
from torch import Tensor, nn

from .attention import TORCH, Layers
from .guide_pictures import GuideMaps, GuidePictures


class AutoencoderTiny(nn.Module):
    """Encoder and decoder with ReLUs and without normalisation; each level after the first halves the side."""

    def __init__(
        self,
        channels: int,
        latent_channels: int,
        width: int,
        encoder_blocks: tuple[int, ...],
        decoder_blocks: tuple[int, ...],
        *,
        guide_width: int = 0,
        ops: Layers = TORCH,
    ) -> None:
        """Build the network.

        Args:
            channels: P.
            latent_channels: C.
            width: channels of every level.
            encoder_blocks: residual blocks per level, finest first.
            decoder_blocks: residual blocks per level, coarsest first.
            guide_width: channels of the features of guide pictures; 0 for a decoder that reads none.
            ops: classes of the layers.
        """
        super().__init__()
        self.encoder = _Encoder(channels, latent_channels, width, encoder_blocks, ops)
        self.decoder = _Decoder(channels, latent_channels, width, decoder_blocks, ops)
        self.guide: GuidePictures | None = None
        if guide_width:
            self.guide = GuidePictures(channels, latent_channels, width, guide_width, len(decoder_blocks), ops=ops)

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (B, P, H, W) in [-1, 1] to latents (B, C, h, w)."""
        return self.encoder(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) to pictures (B, P, H, W), about [-1, 1]."""
        return self.decoder(latents)

    def decode_beside(self, latents: Tensor, picture: Tensor, guide_latents: Tensor) -> Tensor:
        """The same beside a guide: its picture (B, P, H, W) in [-1, 1] and its latents (B, C, h, w)."""
        maps = self.guide(picture, latents, guide_latents)
        return self.guide.mixed(*self.decoder.beside(latents, maps), maps)


class _Encoder(nn.Module):
    def __init__(self, channels: int, latent_channels: int, width: int, blocks: tuple[int, ...], ops: Layers) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level, count in enumerate(blocks):
            down = ops.Conv2d(width, width, 3, padding=1, stride=2, bias=False)
            layers.append(down if level else ops.Conv2d(channels, width, 3, padding=1))
            layers += [_Block(width, ops) for _ in range(count)]
        layers.append(ops.Conv2d(width, latent_channels, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, P, H, W) to (B, C, h, w); the layers take [0, 1]."""
        return self.layers(pictures.add(1).div(2))


class _Decoder(nn.Module):
    def __init__(self, channels: int, latent_channels: int, width: int, blocks: tuple[int, ...], ops: Layers) -> None:
        super().__init__()
        layers: list[nn.Module] = [ops.Conv2d(latent_channels, width, 3, padding=1), nn.ReLU()]
        for level, count in enumerate(blocks):
            layers += [_Block(width, ops) for _ in range(count)]
            if level < len(blocks) - 1:
                layers += [nn.Upsample(scale_factor=2), ops.Conv2d(width, width, 3, padding=1, bias=False)]
        layers.append(ops.Conv2d(width, channels, 3, padding=1))
        self.layers = nn.Sequential(*layers)
        # The layers before the blocks of each level.
        upsampled = (place + 1 for place, layer in enumerate(layers) if isinstance(layer, nn.Upsample))
        self._entries = (1, *upsampled)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) to (B, P, H, W); latents are softly clamped to (-3, 3)."""
        return self.layers(torch.tanh(latents / 3) * 3).mul(2).sub(1)

    def beside(self, latents: Tensor, maps: GuideMaps) -> tuple[Tensor, Tensor]:
        """The same with a guide's features added at each level; gives the picture and the last features (B, D, H, W)."""
        x, added = torch.tanh(latents / 3) * 3, iter(maps.added)
        *layers, last = self.layers
        for place, layer in enumerate(layers):
            x = layer(x)
            if place in self._entries:
                x = x + next(added)
        return last(x).mul(2).sub(1), x


class _Block(nn.Module):
    """Three convolutions on a residual stream."""

    def __init__(self, width: int, ops: Layers) -> None:
        super().__init__()
        first, second, third = (ops.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.conv = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
        self.fuse = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return self.fuse(self.conv(x) + x)
