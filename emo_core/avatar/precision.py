"""Whether a device computes in 16 bits by itself."""

from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")
"""Linux tells there what a processor can; elsewhere float32 is used."""
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Names of the ability on x86 and ARM."""


def half_precision(device: str) -> bool:
    """Whether bfloat16 is fast on `cpu` or `cuda`. Other processors emulate it, ten times slower than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and CPU_INFO.is_file() and bool(BFLOAT16 & set(CPU_INFO.read_text().split()))
