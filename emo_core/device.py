"""Choose the device that a model runs on."""

import torch

from .errors import InputError


def choose_torch_device(device: str) -> torch.device:
    """Resolve `auto`, `cpu` or `cuda`: CUDA where there is one.

    Raises:
        InputError: where CUDA is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda was asked for, but torch finds no CUDA device; use --device cpu or auto")
    return torch.device("cuda" if device in ("auto", "cuda") and torch.cuda.is_available() else "cpu")
