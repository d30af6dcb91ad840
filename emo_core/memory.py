"""Peak memory of the process or the GPU."""

import sys

import torch


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory so far in MiB: the allocations on the GPU, or the resident set of the process."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    if sys.platform == "win32":
        import psutil  # Windows has no `resource`; requirements.txt has psutil for Windows only, ComfyUI has it everywhere.

        return round(psutil.Process().memory_info().peak_wset / 2**20, 1)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
