"""The picture autoencoders beside diffusers': names of the weights, and results."""

from functools import partial

import diffusers
import pytest
import torch

from emo_core.emo.config import EMO_MINI, MINI, VAEConfig
from emo_core.emo.models.autoencoder_kl import AutoencoderKL
from emo_core.emo.models.autoencoder_tiny import AutoencoderTiny
from emo_core.emo.models.vae import VAE
from emo_core.emo.weights.checkpoint import load_checkpoint

WIDTHS = (32, 64, 96)


def their_kl(channels, latent_channels):
    return diffusers.AutoencoderKL(
        in_channels=channels, out_channels=channels, latent_channels=latent_channels, block_out_channels=WIDTHS,
        layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    )  # fmt: skip


def their_tiny(channels, latent_channels, width, encoder_blocks, decoder_blocks):
    widths = (width,) * len(encoder_blocks)
    return diffusers.AutoencoderTiny(
        in_channels=channels, out_channels=channels, latent_channels=latent_channels, encoder_block_out_channels=widths,
        decoder_block_out_channels=widths, num_encoder_blocks=encoder_blocks, num_decoder_blocks=decoder_blocks,
    )  # fmt: skip


MINI_VAE = MINI.vae
TINY = (3 * MINI_VAE.patch**2, MINI_VAE.latent_channels, MINI_VAE.widths[0])
TINY = (*TINY, MINI_VAE.encoder_blocks, MINI_VAE.decoder_blocks)
PAIRS = {
    "kl": (partial(their_kl, 3, 4), partial(AutoencoderKL, 3, 4, WIDTHS), 3),
    "kl-patched": (partial(their_kl, 12, 8), partial(AutoencoderKL, 12, 8, WIDTHS), 12),
    "tiny": (partial(their_tiny, *TINY), partial(AutoencoderTiny, *TINY), 48),
    "tiny-deep": (
        partial(their_tiny, 3, 4, 16, (1, 2, 1), (2, 0, 1)),
        partial(AutoencoderTiny, 3, 4, 16, (1, 2, 1), (2, 0, 1)),
        3,
    ),
}


@pytest.mark.parametrize("pair", list(PAIRS))
@pytest.mark.parametrize("size", [(2, 32, 32), (1, 24, 40)])
@torch.no_grad()
def test_random_weights_give_the_same_latents_and_pictures(pair, size):
    torch.manual_seed(0)
    theirs, ours, channels = (PAIRS[pair][0]().eval(), PAIRS[pair][1]().eval(), PAIRS[pair][2])
    assert theirs.state_dict().keys() == ours.state_dict().keys()
    ours.load_state_dict(theirs.state_dict())
    count, height, width = size
    for dtype, limit in ((torch.float32, 2e-5), (torch.float64, 1e-12)):
        theirs.to(dtype), ours.to(dtype)
        pictures = torch.rand(count, channels, height, width, dtype=dtype) * 2 - 1
        encoded = theirs.encode(pictures)
        latents = encoded.latents if "tiny" in pair else encoded.latent_dist.mode()
        assert torch.allclose(ours.encode(pictures), latents, rtol=0, atol=limit)
        decoded = theirs.decode(latents).sample
        assert (ours.decode(latents) - decoded).abs().max() < limit * max(1, decoded.abs().max())
        if "tiny" in pair:
            assert torch.equal(ours.encode(pictures), latents) and torch.equal(ours.decode(latents), decoded)


@pytest.mark.parametrize("pair", list(PAIRS))
def test_gradients_are_the_same(pair):
    torch.manual_seed(0)
    theirs, ours, channels = (PAIRS[pair][0]().double(), PAIRS[pair][1]().double(), PAIRS[pair][2])
    ours.load_state_dict(theirs.state_dict())
    pictures = torch.rand(1, channels, 16, 16, dtype=torch.float64)
    encoded = theirs.encode(pictures)
    latents = encoded.latents if "tiny" in pair else encoded.latent_dist.mode()
    theirs.decode(latents).sample.square().mean().backward()
    ours.decode(ours.encode(pictures)).square().mean().backward()
    expected = {name: weight.grad for name, weight in theirs.named_parameters()}
    assert all(torch.allclose(weight.grad, expected[name]) for name, weight in ours.named_parameters())


@torch.no_grad()
def test_emo_minis_autoencoder_is_diffusers_tiny_one():
    vae = load_checkpoint(EMO_MINI).vae
    theirs = their_tiny(*TINY).eval()
    theirs.load_state_dict(vae.net.state_dict())
    theirs.to(memory_format=torch.channels_last)  # As the checkpoint's.
    folded = torch.rand(2, 48, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = theirs.encode(folded).latents
    assert torch.equal(vae.net.encode(folded), latents)
    assert torch.equal(vae.net.decode(latents), theirs.decode(latents).sample)


def test_layers_are_the_hosts():
    """`ops` makes every layer that has weights, so that a host can stream them."""

    class Linear(torch.nn.Linear):
        pass

    class Conv2d(torch.nn.Conv2d):
        pass

    class GroupNorm(torch.nn.GroupNorm):
        pass

    class Layers:
        LayerNorm, attention = torch.nn.LayerNorm, None

    Layers.Linear, Layers.Conv2d, Layers.GroupNorm = Linear, Conv2d, GroupNorm
    for config in (MINI_VAE, VAEConfig(widths=WIDTHS)):
        modules = [module for module in VAE(config, ops=Layers).modules() if [*module.parameters(recurse=False)]]
        assert modules and {type(module) for module in modules} <= {Linear, Conv2d, GroupNorm}
