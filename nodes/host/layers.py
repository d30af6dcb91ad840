"""The host's layers and attention, as a network takes them (`ops`)."""

from typing import Any

import comfy.ops
import torch
from comfy.ldm.modules.attention import optimized_attention
from einops import rearrange
from torch import Tensor
from torch.nn import functional


def host_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention by the implementation that the host was started with (PyTorch, xFormers, SageAttention, ...).

    Args:
        q: (B, K, N, d) queries of K heads.
        k: (B, K, S, d) keys.
        v: (B, K, S, d) values.

    Returns:
        (B, K, N, d)
    """
    # skip_output_reshape is no option: some of the host's implementations ignore it for large batches.
    out = optimized_attention(q, k, v, q.shape[1], skip_reshape=True)
    return rearrange(out, "b n (k d) -> b k n d", k=q.shape[1])


class HostLayers(comfy.ops.disable_weight_init):
    """Layers whose weights the host may stream from its offload device, and the host's attention."""

    attention = staticmethod(host_attention)


class CpuLayers(comfy.ops.disable_weight_init):
    """The same layers with PyTorch's attention."""

    attention = staticmethod(functional.scaled_dot_product_attention)


def host_layers(device: torch.device) -> Any:
    """The namespace with Linear, Conv2d, GroupNorm, LayerNorm and `attention`: the host's attention on a GPU.

    On a CPU the network keeps PyTorch's attention: the host's default there is the sub-quadratic one, which is slower and
    would make other frames than the command line.
    """
    return CpuLayers if device.type == "cpu" else HostLayers
