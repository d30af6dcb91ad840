"""Whether a device computes in 16 bits by itself."""

import torch


def half_precision(device: str) -> bool:
    """Whether bfloat16 is fast on `cpu` or `cuda`. Other processors emulate it, ten times slower than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
