"""Identity: whose face it is, for models with identity tokens (Hallo). The paper has none."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ...errors import InputError
from ...face.box import Box
from ...face.embedding import HOME, embed_face, load_embedding
from ..config import EMOConfig

_LOG = logging.getLogger(__name__)


def find_identity(
    path: Path | None, picture: np.ndarray, face: Box | None, config: EMOConfig, *, roots: Sequence[Path] = (HOME,)
) -> Tensor | None:
    """The embedding that a model reads: from a file, else by insightface, else None with a warning.

    Args:
        path: see `load_identity`; None to compute it.
        picture: (H, W, 3) uint8 RGB.
        face: the face's box in the picture; None takes the largest face.
        config: the model's.
        roots: folders that may hold `models/antelopev2`; nothing is downloaded.

    Returns:
        (E,), or None if the model reads none or the face is unknown.
    """
    if path is not None or not config.block.identity:
        return load_identity(path, config)
    try:
        return embed_face(picture, face, config.identity.embedding, roots)
    except InputError as error:
        _LOG.warning("%s; %s takes the likeness from the picture alone, which is weaker", error, config.name)
        return None


def load_identity(path: Path | None, config: EMOConfig) -> Tensor | None:
    """Read an embedding (E,) for a model; None is an unknown face, which such models know from training.

    Raises:
        InputError: if the file is no embedding of the model's size, or the model reads none.
    """
    if path is None:
        return None
    if not config.block.identity:
        raise InputError(f"face embedding: {config.name} reads none; leave it out")
    return load_embedding(path, config.identity.embedding)
