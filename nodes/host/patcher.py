"""Models under the host's memory management."""

from collections.abc import Callable
from typing import Any

import comfy.model_management as mm
import comfy.model_patcher
import torch
from torch import nn

Reload = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function that loads the weights again and returns their patcher, and its arguments."""


def managed(model: nn.Module, device: torch.device, offload: torch.device, reload: Reload | None = None) -> Any:
    """A patcher of the kind that this host uses for its own models.

    Newer hosts replace that kind when they start, so it is looked up here and not at import. A patcher of another kind would
    make such a host unload the models of other packs, because it could not move them piece by piece (dynamic VRAM).

    Args:
        model: whose weights have their final precision.
        device: to compute on.
        offload: where the weights wait.
        reload: for Select VAE Device and its like, which need a second copy of the weights on another GPU.
    """
    if hasattr(mm, "archive_model_dtypes"):
        mm.archive_model_dtypes(model)  # The precision that the host casts back to.
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    patcher = kind(model, device, offload)
    if hasattr(patcher, "cached_patcher_init"):
        patcher.cached_patcher_init = reload
    return patcher
