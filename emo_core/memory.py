"""How much memory the work took at its peak."""

import sys

import torch


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory so far in MiB: the GPU's allocations, or the process's resident set."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    if sys.platform == "win32":
        import psutil  # Comes with accelerate; Windows has no `resource`.

        return round(psutil.Process().memory_info().peak_wset / 2**20, 1)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
