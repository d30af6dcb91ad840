"""The device that a model runs on, and its threads."""

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's operations on one thread while the block runs.

    Small operations beside a video encoder take twice as long on two threads as on one, because the threads wait for each other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
