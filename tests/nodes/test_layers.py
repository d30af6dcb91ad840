"""Layers and attention that the host hands to a network."""

import pytest
import torch
from torch.nn import functional

from tests.nodes.conftest import module


@pytest.mark.parametrize("context", [5, 7], ids=["self", "cross"])
def test_the_hosts_attention_keeps_the_layout_of_heads(context):
    draw = torch.Generator().manual_seed(0)
    q = torch.randn(2, 3, 5, 8, generator=draw)
    k, v = torch.randn(2, 2, 3, context, 8, generator=draw)
    out = module(".nodes.host.layers").host_attention(q, k, v)
    assert out.shape == (2, 3, 5, 8)
    assert torch.allclose(out, functional.scaled_dot_product_attention(q, k, v), atol=1e-5)


@pytest.mark.parametrize(("device", "own"), [("cpu", False), ("cuda", True)])
def test_the_network_gets_the_hosts_layers_and_on_a_gpu_its_attention(device, own):
    layers = module(".nodes.host.layers")
    ops = layers.host_layers(torch.device(device))
    for name in ("Linear", "Conv2d", "GroupNorm", "LayerNorm"):
        assert getattr(ops, name) is getattr(module("comfy.ops").disable_weight_init, name)
    assert (getattr(ops, "attention", None) is layers.host_attention) == own
