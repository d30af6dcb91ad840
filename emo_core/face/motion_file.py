"""Face motion as a safetensors file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import InputError
from ..fields import Between, Items, read_fields
from ..files import atomic_path, existing_file
from .motion import MAX_FPS, FaceMotion

SUFFIX = ".safetensors"
FORMAT = "face-motion-1"
MAX_FRAMES = 10_000_000


@dataclass(frozen=True, slots=True)
class _About:
    """Metadata of a file."""

    fps: Annotated[float, Between(1, MAX_FPS)]
    names: Annotated[tuple[str, ...], Items(1, 512)]


def save_motion(motion: FaceMotion, path: Path) -> None:
    """Write a motion, whole or not at all."""
    arrays = {
        "coefficients": np.ascontiguousarray(motion.coefficients, np.float32),
        "rotation": np.ascontiguousarray(motion.rotation, np.float32),
        "translation": np.ascontiguousarray(motion.translation, np.float32),
    }
    about = {"fps": motion.fps, "names": motion.names}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, {"format": FORMAT, "motion": json.dumps(about)})


def load_motion(path: Path) -> FaceMotion:
    """Read a motion.

    Raises:
        InputError: if there is no file, or it is no whole face motion.
    """
    path = existing_file(path, "face motion", "a .safetensors that Save Face Motion or `motion` wrote")
    try:
        with safe_open(path, "numpy") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError("it is another kind of file")
            about = read_fields(_About, json.loads(metadata["motion"]))
            arrays = {name: stored.get_tensor(name) for name in ("coefficients", "rotation", "translation")}
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(f"face motion: {path} cannot be read ({error}); save the motion again") from error
    arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    return FaceMotion(**arrays, fps=about.fps, names=about.names)
