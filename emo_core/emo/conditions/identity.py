"""Identity: a face embedding, for models with identity tokens (Hallo). The paper has none.

Value: (B, E) embedding; zeros are an unknown face. Features: tokens (B, T, D).
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ...errors import InputError
from ...face.box import Box
from ...face.embedding import HOME, embed_face, load_embedding
from ..config import EMOConfig
from ..models.attention import KeyValue, Layers
from ..models.backbone import BackboneSite
from ..models.identity import IdentityProjection
from .condition import AddOption, Condition, Scene

_LOG = logging.getLogger(__name__)


class IdentityCondition(Condition):
    """Identity tokens of the face."""

    name = "identity"
    module_name = "identity_projection"

    def add_options(self, add: AddOption) -> None:
        add(
            "--face-embedding",
            type=Path,
            help="insightface's embedding as .npy, for models that read one (Hallo); "
            "default: computed, if insightface and its antelopev2 are installed",
        )

    def read_options(self, args: argparse.Namespace) -> Path | None:
        return args.face_embedding

    def check(self, request: Path | None, config: EMOConfig) -> None:
        if request is not None:
            load_identity(request, config)

    def prepare(self, request: Path | None, scene: Scene) -> Tensor | None:
        """(E,); None is an unknown face."""
        box = None if scene.face is None else scene.face.box
        return find_identity(request, scene.image, box, scene.config)

    def in_use(self, config: EMOConfig) -> bool:
        return config.block.identity

    def build(self, config: EMOConfig, ops: Layers) -> nn.Module:
        return IdentityProjection(config.identity, ops=ops)

    def missing(self, reference: Tensor, config: EMOConfig) -> Tensor:
        """Zeros, which are an unknown face."""
        return reference.new_zeros(len(reference), config.identity.embedding)

    def without(self, encoder: nn.Module, features: Tensor) -> Tensor:
        """Tokens of no face."""
        return encoder(features.new_zeros(len(features), encoder.proj.in_features))

    def at_site(self, site: BackboneSite, features: Tensor) -> KeyValue | None:
        return None if site.spatial is None else site.spatial.block.attn_id.keys_values(features)


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
