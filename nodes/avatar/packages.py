"""Packages that training needs beside ComfyUI's own."""

from importlib.util import find_spec

from ...emo_core.errors import InputError

NEEDED = {"accelerate": "accelerate", "mediapipe": "mediapipe==0.10.21", "filelock": "filelock"}
"""What pip installs, by the name of the module."""


def require_packages() -> None:
    """Check them before anything is read.

    Raises:
        InputError: if some are missing.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise InputError(
            f"Avatar Trainer: ComfyUI's Python lacks {', '.join(missing)}; run `python -m pip install {' '.join(missing)}` with it "
            "(MediaPipe needs Python 3.12 or older), or train with the command line and load the file with Avatar Loader"
        )
