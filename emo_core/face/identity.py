"""Whose face it is, for models with identity tokens (Hallo): an embedding from a file, or from insightface where it is there."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import EMOConfig
from ..errors import InputError, existing_file
from .box import Box

PACK = "antelopev2"
"""insightface's models that Hallo was trained with."""
HOME = Path("~/.insightface").expanduser()
"""Where insightface keeps its models."""
_LOG = logging.getLogger(__name__)


def find_identity(
    path: Path | None, picture: np.ndarray, face: Box | None, config: EMOConfig, *, roots: Sequence[Path] = (HOME,)
) -> Tensor | None:
    """The embedding that a model reads: from a file, else by insightface, else None, which is said aloud.

    Args:
        path: see `load_identity`; None to compute it.
        picture: (H, W, 3) uint8 RGB.
        face: the face's box in the picture; None takes the largest.
        config: the model's.
        roots: folders that may hold `models/antelopev2`; nothing is downloaded.

    Returns:
        (E,), or None where the model reads none or the face is to be unknown.
    """
    if path is not None or not config.block.identity:
        return load_identity(path, config)
    try:
        return embed_face(picture, face, config, roots)
    except InputError as error:
        _LOG.warning("%s; %s takes the likeness from the picture alone, which is weaker", error, config.name)
        return None


def load_identity(path: Path | None, config: EMOConfig) -> Tensor | None:
    """Read an insightface `embedding` (not `normed_embedding`) saved with numpy.

    Args:
        path: a .npy of shape (E,) or (1, E); None is an unknown face, which such models know from training.
        config: the model's.

    Raises:
        InputError: where the file is no embedding of the model's size, or the model reads none.
    """
    if path is None:
        return None
    if not config.block.identity:
        raise InputError(f"face embedding: {config.name} reads none; leave it out")
    path = existing_file(path, "face embedding", "a .npy with insightface's embedding")
    try:
        embedding = np.asarray(np.load(path, allow_pickle=False), np.float32).reshape(-1)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"face embedding: {path} cannot be read as .npy ({error}); save it with numpy.save") from error
    return _checked(embedding, str(path), config)


def embed_face(picture: np.ndarray, face: Box | None, config: EMOConfig, roots: Sequence[Path] = (HOME,)) -> Tensor:
    """Compute the embedding with insightface.

    Args:
        picture: (H, W, 3) uint8 RGB.
        face: whose; None takes the largest.
        config: the model's.
        roots: folders that may hold `models/antelopev2`.

    Raises:
        InputError: where insightface or its models are missing, or it finds no such face.
    """
    return _checked(Embedder(roots)(picture, face), "insightface's", config)


class Embedder:
    """insightface with antelopev2; opening it takes seconds, so one serves many pictures."""

    def __init__(self, roots: Sequence[Path] = (HOME,)) -> None:
        """From the first of `roots` that holds `models/antelopev2`.

        Raises:
            InputError: where insightface or its models are missing.
        """
        root = next((root for root in roots if any((root / "models" / PACK).glob("*.onnx"))), None)
        if root is None:
            where = " or ".join(str(root / "models" / PACK) for root in roots)
            raise InputError(f"face embedding: no insightface models; put {PACK}'s .onnx files into {where}")
        try:
            from insightface.app import FaceAnalysis
        except ImportError as error:
            raise InputError("face embedding: needs `pip install insightface onnxruntime`") from error
        try:
            modules, providers = ["detection", "recognition"], ["CPUExecutionProvider"]
            self._analysis = FaceAnalysis(name=PACK, root=str(root), allowed_modules=modules, providers=providers)
            self._analysis.prepare(ctx_id=-1, det_size=(640, 640))
        except (AssertionError, RuntimeError, OSError, ValueError) as error:
            raise InputError(
                f"face embedding: insightface cannot open {root / 'models' / PACK} ({error}); it needs all files of {PACK}"
            ) from error

    def __call__(self, picture: np.ndarray, face: Box | None = None) -> np.ndarray:
        """The embedding (E,) float32 of a face in (H, W, 3) uint8 RGB; None takes the largest.

        Raises:
            InputError: where it finds no such face.
        """
        found = self._analysis.get(np.ascontiguousarray(picture[..., ::-1]))  # insightface reads BGR.
        boxes = [Box(*map(float, one.bbox)) for one in found]
        scores = [box.width * box.height if face is None else box.overlap(face) for box in boxes]
        if not scores or max(scores) <= 0:
            raise InputError("face embedding: insightface does not find that face")
        return np.asarray(found[int(np.argmax(scores))].embedding, np.float32)


def _checked(embedding: np.ndarray, name: str, config: EMOConfig) -> Tensor:
    if embedding.shape != (config.identity.embedding,) or not np.isfinite(embedding).all():
        raise InputError(
            f"face embedding: {name} holds {embedding.size} numbers; expected {config.identity.embedding} finite ones "
            "(insightface's `embedding`)"
        )
    return torch.tensor(embedding)
