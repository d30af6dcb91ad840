"""A face embedding, from a file or from insightface if it is installed.

Shape legend: E numbers of the embedding.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..files import existing_file
from .box import Box

PACK = "antelopev2"
"""Name of the insightface models that Hallo was trained with."""
HOME = Path("~/.insightface").expanduser()
"""insightface's own folder of models."""


def load_embedding(path: Path, size: int) -> Tensor:
    """Read an insightface `embedding` (not `normed_embedding`) saved with numpy.

    Args:
        path: a .npy of shape (E,) or (1, E).
        size: E, of the model that reads it.

    Raises:
        InputError: if the file is no embedding of that size.
    """
    path = existing_file(path, "face embedding", "a .npy with insightface's embedding")
    try:
        embedding = np.asarray(np.load(path, allow_pickle=False), np.float32).reshape(-1)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"face embedding: {path} cannot be read as .npy ({error}); save it with numpy.save") from error
    return _checked(embedding, str(path), size)


def embed_face(picture: np.ndarray, face: Box | None, size: int, roots: Sequence[Path] = (HOME,)) -> Tensor:
    """Compute the embedding (E,) with insightface.

    Args:
        picture: (H, W, 3) uint8 RGB.
        face: the face's box in the picture; None takes the largest face.
        size: E, of the model that reads it.
        roots: folders that may hold `models/antelopev2`; nothing is downloaded.

    Raises:
        InputError: if insightface or its models are missing, or it finds no such face.
    """
    return _checked(Embedder(roots)(picture, face), "insightface's", size)


class Embedder:
    """insightface with antelopev2. Loading takes seconds; use one for many pictures."""

    def __init__(self, roots: Sequence[Path] = (HOME,)) -> None:
        """Load from the first of `roots` that holds `models/antelopev2`.

        Raises:
            InputError: if insightface or its models are missing.
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
            InputError: if it finds no such face.
        """
        faces = self._analysis.get(np.ascontiguousarray(picture[..., ::-1]))  # insightface reads BGR.
        boxes = [Box(*map(float, one.bbox)) for one in faces]
        scores = [box.width * box.height if face is None else box.overlap(face) for box in boxes]
        if not scores or max(scores) <= 0:
            raise InputError("face embedding: insightface does not find that face")
        return np.asarray(faces[int(np.argmax(scores))].embedding, np.float32)


def _checked(embedding: np.ndarray, name: str, size: int) -> Tensor:
    if embedding.shape != (size,) or not np.isfinite(embedding).all():
        raise InputError(
            f"face embedding: {name} holds {embedding.size} numbers; expected {size} finite ones (insightface's `embedding`)"
        )
    return torch.tensor(embedding)
