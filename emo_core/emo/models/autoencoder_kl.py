"""The autoencoder of Stable Diffusion 1.5 (arXiv 2112.10752), with the weights' names of diffusers' AutoencoderKL.

Shape legend: B pictures, P picture channels, C latent channels, H W picture side, h w latent side.
"""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from .attention import TORCH, Layers
from .resnet import Upsample

GROUPS = 32
EPS = 1e-6
"""Of every GroupNorm."""
BLOCKS = 2
"""Residual blocks per encoder level; a decoder level has one more."""


class AutoencoderKL(nn.Module):
    """Residual convolutions with one self-attention at the coarsest level; each level after the first halves the side."""

    def __init__(self, channels: int, latent_channels: int, widths: tuple[int, ...], *, ops: Layers = TORCH) -> None:
        """Build the network.

        Args:
            channels: P.
            latent_channels: C.
            widths: channels per level, finest first; multiples of 32.
            ops: classes of the layers.
        """
        super().__init__()
        self.encoder = _Encoder(channels, 2 * latent_channels, widths, ops)
        self.decoder = _Decoder(channels, latent_channels, widths, ops)
        self.quant_conv = ops.Conv2d(2 * latent_channels, 2 * latent_channels, 1)
        self.post_quant_conv = ops.Conv2d(latent_channels, latent_channels, 1)

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (B, P, H, W) in [-1, 1] to latents (B, C, h, w): the mean of the posterior."""
        mean, _log_variance = self.quant_conv(self.encoder(pictures)).chunk(2, dim=1)
        return mean

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) to pictures (B, P, H, W), about [-1, 1]."""
        return self.decoder(self.post_quant_conv(latents))


class _Encoder(nn.Module):
    def __init__(self, channels: int, out_channels: int, widths: tuple[int, ...], ops: Layers) -> None:
        super().__init__()
        self.conv_in = ops.Conv2d(channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            _Level(before, width, BLOCKS, "downsamplers", None if width_is_last else _Downsample(width, ops), ops)
            for before, width, width_is_last in _levels(widths)
        )
        self.mid_block = _Middle(widths[-1], ops)
        self.conv_norm_out = ops.GroupNorm(GROUPS, widths[-1], eps=EPS)
        self.conv_out = ops.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, P, H, W) to (B, 2C, h, w)."""
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        return self.conv_out(functional.silu(self.conv_norm_out(self.mid_block(x))))


class _Decoder(nn.Module):
    def __init__(self, channels: int, in_channels: int, widths: tuple[int, ...], ops: Layers) -> None:
        super().__init__()
        self.conv_in = ops.Conv2d(in_channels, widths[-1], 3, padding=1)
        self.mid_block = _Middle(widths[-1], ops)
        self.up_blocks = nn.ModuleList(
            _Level(before, width, BLOCKS + 1, "upsamplers", None if width_is_last else Upsample(width, ops=ops), ops)
            for before, width, width_is_last in _levels(widths[::-1])
        )
        self.conv_norm_out = ops.GroupNorm(GROUPS, widths[0], eps=EPS)
        self.conv_out = ops.Conv2d(widths[0], channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, P, H, W)."""
        x = self.mid_block(self.conv_in(x))
        for level in self.up_blocks:
            x = level(x)
        return self.conv_out(functional.silu(self.conv_norm_out(x)))


def _levels(widths: tuple[int, ...]) -> list[tuple[int, int, bool]]:
    """Per level, in the order of the network: width before it, its width, whether it is the last one."""
    before = (widths[0], *widths[:-1])
    return [(*pair, index == len(widths) - 1) for index, pair in enumerate(zip(before, widths, strict=True))]


class _Level(nn.Module):
    """Residual blocks, then a change of resolution under the name `sampler`; None for the last level."""

    def __init__(
        self, channels: int, width: int, blocks: int, sampler: str, resample: nn.Module | None, ops: Layers
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_Block(width if index else channels, width, ops) for index in range(blocks))
        self._sampler = sampler
        self.add_module(sampler, nn.ModuleList([] if resample is None else [resample]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, width, H', W')."""
        for block in (*self.resnets, *self.get_submodule(self._sampler)):
            x = block(x)
        return x


class _Block(nn.Module):
    """GroupNorm-SiLU-convolution twice, on a residual stream."""

    def __init__(self, channels: int, width: int, ops: Layers) -> None:
        super().__init__()
        self.norm1 = ops.GroupNorm(GROUPS, channels, eps=EPS)
        self.conv1 = ops.Conv2d(channels, width, 3, padding=1)
        self.norm2 = ops.GroupNorm(GROUPS, width, eps=EPS)
        self.conv2 = ops.Conv2d(width, width, 3, padding=1)
        self.conv_shortcut = ops.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, width, H, W)."""
        h = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h)))
        return self.conv_shortcut(x) + h


class _Downsample(nn.Module):
    """Halve the side with a strided convolution, padded at the right and the bottom only."""

    def __init__(self, width: int, ops: Layers) -> None:
        super().__init__()
        self.conv = ops.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to (B, width, H/2, W/2)."""
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class _Middle(nn.Module):
    """Residual block, self-attention, residual block."""

    def __init__(self, width: int, ops: Layers) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([_SelfAttention(width, ops)])
        self.resnets = nn.ModuleList([_Block(width, width, ops), _Block(width, width, ops)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) to the same."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class _SelfAttention(nn.Module):
    """One head over all places. Its width is beyond a host's fused attention, so it is PyTorch's own."""

    def __init__(self, width: int, ops: Layers) -> None:
        super().__init__()
        self.group_norm = ops.GroupNorm(GROUPS, width, eps=EPS)
        self.to_q = ops.Linear(width, width)
        self.to_k = ops.Linear(width, width)
        self.to_v = ops.Linear(width, width)
        self.to_out = nn.ModuleList([ops.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) to the same."""
        tokens = rearrange(self.group_norm(x), "b c h w -> b (h w) c")
        q, k, v = (rearrange(project(tokens), "b n c -> b 1 n c") for project in (self.to_q, self.to_k, self.to_v))
        out = rearrange(functional.scaled_dot_product_attention(q, k, v), "b 1 n c -> b n c")
        return x + rearrange(self.to_out[0](out), "b (h w) c -> b c h w", h=x.shape[2])
