"""Stop at numbers that are not finite, before they become a black video."""

import torch
from torch import Tensor

from ..errors import InputError


class NotFiniteError(InputError):
    """A network gives numbers that are not finite."""


def check_finite(values: Tensor, dtype: torch.dtype, name: str) -> Tensor:
    """Return `values`, the output of a network.

    Args:
        values: any shape.
        dtype: of the network's weights.
        name: of the network, for the message.

    Raises:
        NotFiniteError: if one of them is NaN or infinite.
    """
    if torch.isfinite(values).all():
        return values
    kind = str(dtype).removeprefix("torch.")
    if dtype == torch.float32:
        remedy = "the checkpoint's weights are damaged; download or export it again"
    else:
        remedy = "its numbers are too large for half precision; use --dtype fp32 (start ComfyUI with --force-fp32)"
    raise NotFiniteError(f"dtype: the {name} gives numbers that are not finite in {kind}; {remedy}")
