"""The network that draws patches."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from emo_core.avatar.inputs import COPYING, MOUTHS, composed
from emo_core.avatar.patches import window
from emo_core.avatar.unet import CONTROLS, INPUTS, OUTPUTS, MouthConfig, MouthNet, load_base, net_for, save_net
from emo_core.errors import CheckpointError, InputError

SMALL = MouthConfig(widths=(8, 12, 16), hidden=16)


def example(size: int, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(count, INPUTS, size, size, generator=draw), torch.randn(count, CONTROLS, generator=draw)


def awake(net: MouthNet) -> MouthNet:
    """Steering layers begin with zeros."""
    torch.manual_seed(0)
    for block in (*net.inward, *net.outward):
        torch.nn.init.normal_(block.film.weight, 0, 0.2)
    return net


def test_it_draws_patches_of_the_same_side():
    assert MouthNet(SMALL)(*example(64)).shape == (2, OUTPUTS, 64, 64)


def test_controls_steer_it():
    net, (pictures, controls) = awake(MouthNet(SMALL)), example(32)
    assert (net(pictures, controls) - net(pictures, controls + 1)).abs().max() > 1e-4


def test_a_network_for_twice_the_side_begins_as_the_same():
    net, (pictures, controls) = awake(MouthNet(SMALL)), example(32)
    twice = functional.interpolate(net(pictures, controls), scale_factor=2.0, mode="nearest")
    finer = functional.interpolate(pictures, scale_factor=2.0, mode="nearest")
    assert (net_for(256, net)(finer, controls) - twice).abs().max() < 1e-5
    with pytest.raises(ValueError, match="expected 128"):
        net_for(200, net)


def test_the_shipped_size_is_small():
    assert sum(value.numel() for value in MouthNet().parameters()) < 2.5e6


def test_an_untrained_network_copies_the_mouth_and_leaves_the_base():
    net, (pictures, controls) = MouthNet(SMALL), example(64, 1)
    region = torch.zeros(1, 1, 64, 64)
    region[..., 24:40, 24:40] = 1
    pictures = torch.cat([pictures[:, :-1], region], dim=1)
    bases = torch.rand(1, 3, 64, 64)
    made, _, cover = composed(net(pictures, controls), pictures, bases, torch.from_numpy(window(64)))
    assert torch.equal(made[..., 0, :], bases[..., 0, :]) and (cover[..., 24:40, 24:40] == 1).all()
    inside = (slice(None), slice(None), slice(24, 40), slice(24, 40))
    mouth = pictures[:, MOUTHS][inside] * torch.tensor(COPYING).sigmoid()
    assert (made[inside] - mouth).abs().mean() < 0.3 * mouth.abs().mean()


def test_weights_survive_a_file(tmp_path):
    net = awake(MouthNet(SMALL)).half().float().eval()
    save_net(net, tmp_path / "net.safetensors", {"licence": "free"})
    again = load_base(tmp_path / "net.safetensors")
    assert again.config == SMALL and torch.equal(again(*example(32)), net(*example(32)))


def test_a_wrong_file_is_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(InputError, match="no file"):
        load_base(path)
    path.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="cannot read"):
        load_base(path)
    save_net(MouthNet(SMALL), path)
    weights = load_file(path)
    save_file(weights, path, {"format": "other"})
    with pytest.raises(CheckpointError, match="format"):
        load_base(path)
    save_file({"stem.weight": weights["stem.weight"]}, path, {"format": "avatar-mouth-1", "config": "{}"})
    with pytest.raises(CheckpointError, match="cannot read"):
        load_base(path)
    for config in ("{", '{"widths": [4]}', '{"fold": 99}', '{"unknown": 1}'):
        save_file(weights, path, {"format": "avatar-mouth-1", "config": config})
        with pytest.raises(CheckpointError, match="cannot read"):
            load_base(path)
