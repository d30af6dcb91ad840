"""A face embedding for models with identity tokens (Hallo): computed elsewhere, read from a file."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import EMOConfig
from ..errors import InputError, existing_file


def load_identity(path: Path | None, config: EMOConfig) -> Tensor | None:
    """Read an insightface `embedding` (not `normed_embedding`) saved with numpy.

    Args:
        path: a .npy of shape (E,) or (1, E); None is an unknown face, which such models know from training.
        config: the model's.

    Raises:
        InputError: where the file is no embedding of the model's size, or the model reads none.
    """
    if path is None:
        if config.block.identity:
            logging.getLogger(__name__).warning(
                "%s reads a face embedding; without one (--face-embedding) the likeness comes from the picture alone",
                config.name,
            )
        return None
    if not config.block.identity:
        raise InputError(f"face embedding: {config.name} reads none; leave it out")
    path = existing_file(path, "face embedding", "a .npy with insightface's embedding")
    try:
        embedding = np.asarray(np.load(path, allow_pickle=False), np.float32).reshape(-1)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"face embedding: {path} cannot be read as .npy ({error}); save it with numpy.save") from error
    if embedding.shape != (config.identity.embedding,) or not np.isfinite(embedding).all():
        raise InputError(
            f"face embedding: {path} holds {embedding.size} numbers; expected {config.identity.embedding} finite ones "
            "(insightface's `embedding`)"
        )
    return torch.tensor(embedding)
