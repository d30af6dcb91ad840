"""The field's own metrics, by kept libraries, with extractor weights that the user brings; without them, what to get.

Nothing is downloaded, and nothing stands in: a number under a known name is that number or absent.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..config import HALLO
from ..errors import InputError
from ..face.identity import embed_face
from .measures import Numbers
from .observe import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Extractors:
    """Where weights are; None for what is not at hand."""

    inception: Path | None = None
    """torch-fidelity's weights-inception-2015-12-05-6726825d.pth."""
    insightface: Path | None = None
    """A folder with models/antelopev2/*.onnx."""


ABSENT = (
    "FVD: not computed; it needs the I3D network's weights and a library that is still kept; none was found",
    "SyncNet confidence, distance, offset: not computed; the published code has no maintained package",
    "E-FID: not computed; it needs a 3D face reconstruction (Deep3DFaceRecon), which has no maintained package",
)
"""What cannot be had."""


def standard(
    made: Sequence[Observed], true: Sequence[Observed], extractors: Extractors, scratch: Path
) -> tuple[Numbers, list[str]]:
    """FID and F-SIM, from the frames kept of every video.

    Args:
        made: generated videos.
        true: the same ones, true.
        extractors: weights.
        scratch: a folder for pictures.

    Returns:
        Numbers, and a line for each one that is missing.
    """
    numbers: Numbers = {}
    notes = list(ABSENT)
    for name, run in (("FID", _fid), ("F-SIM", _similarity)):
        try:
            numbers[name] = run(made, true, extractors, scratch)
        except InputError as error:
            notes.append(f"{name}: not computed; {error}")
    return numbers, notes


def _fid(made: Sequence[Observed], true: Sequence[Observed], extractors: Extractors, scratch: Path) -> float:
    if extractors.inception is None:
        raise InputError("give --inception, weights-inception-2015-12-05-6726825d.pth of torch-fidelity's releases")
    try:
        from torch_fidelity import calculate_metrics
    except ImportError as error:
        raise InputError("it needs `pip install torch-fidelity`") from error
    folders = []
    for name, videos in (("generated", made), ("true", true)):
        folder = scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        for video in videos:
            for number, frame in enumerate(video.sheet):
                Image.fromarray(frame).save(folder / f"{video.name}-{number}.png")
        folders.append(str(folder))
    found = calculate_metrics(
        input1=folders[0],
        input2=folders[1],
        fid=True,
        cuda=False,
        verbose=False,
        feature_extractor_weights_path=str(extractors.inception),
    )
    return float(found["frechet_inception_distance"])


def _similarity(made: Sequence[Observed], true: Sequence[Observed], extractors: Extractors, scratch: Path) -> float:
    """Mean cosine between the faces of generated frames and the true video's first."""
    if extractors.insightface is None:
        raise InputError("give --insightface, a folder with models/antelopev2/*.onnx")
    cosines = []
    for a, b in zip(made, true, strict=True):
        known = _direction(b.sheet[0], extractors.insightface)
        for frame in a.sheet[1:]:
            try:
                cosines.append(float(_direction(frame, extractors.insightface) @ known))
            except InputError:
                cosines.append(0.0)  # A face that is not found is like nobody.
    return float(np.mean(cosines))


def _direction(picture: np.ndarray, root: Path) -> np.ndarray:
    found = embed_face(picture, None, HALLO, (root,)).numpy()
    return found / np.linalg.norm(found)
