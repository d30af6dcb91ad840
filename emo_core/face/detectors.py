"""Choose a face detector: MediaPipe if it is installed, with the built-in one for distant faces, else the built-in one alone."""

import importlib.util
import logging
import os
from functools import partial
from pathlib import Path

from ..errors import InputError
from .built_in_detector import BuiltInDetector
from .closer_look import CloserLook
from .detect import FaceDetector
from .mediapipe_detector import BundledDetector, TasksDetector
from .quiet_start import QuietStart

BUNDLE_VARIABLE = "EMO_FACE_LANDMARKER"
BUNDLE = Path(__file__).resolve().parents[2] / "models" / "face_landmarker.task"


def make_detector(
    bundle: Path | None = None, *, landmarks: bool = False, blendshapes: bool = False, quiet: bool = False
) -> FaceDetector:
    """Choose a detector: MediaPipe with a bundle or with its own models, else the built-in one.

    Without `bundle`, the environment variable EMO_FACE_LANDMARKER and `models/face_landmarker.task` are tried. A MediaPipe that
    is installed but fails, for example with another numpy or protobuf, gives way to the built-in detector with a warning.

    Args:
        bundle: a face_landmarker.task.
        landmarks: whether landmarks are needed; the built-in detector gives none.
        blendshapes: whether to compute blendshapes; only a bundle gives them.
        quiet: whether MediaPipe's start-up notes are kept off the process's stderr.

    Raises:
        InputError: if the bundle cannot be used, if MediaPipe is needed and fails, or if the built-in weights are missing.
        CheckpointError: if the built-in weights are broken.
    """
    try:
        detector = _mediapipe(bundle, blendshapes, quiet)
    except InputError:
        raise
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError, OSError) as error:
        detector = f"MediaPipe is installed but does not work here ({error})"
        logging.getLogger(__name__).warning("%s; the built-in face detector is used instead", detector)
    if not isinstance(detector, str):
        return CloserLook(detector, BuiltInDetector())
    if landmarks or bundle is not None:
        raise InputError(f"face detector: {detector} (the built-in detector gives no landmarks and takes no bundle)")
    return BuiltInDetector()


def _mediapipe(bundle: Path | None, blendshapes: bool, quiet: bool) -> FaceDetector | str:
    """MediaPipe's detector, or a message why there is none."""
    if importlib.util.find_spec("mediapipe") is None:
        return "mediapipe is not installed; the command line finds it in a Python with requirements-face.txt"
    bundle = bundle or _default_bundle()
    start = QuietStart if quiet else lambda make: make()
    if bundle is not None:
        return start(partial(TasksDetector, bundle, blendshapes=blendshapes))
    if importlib.util.find_spec("mediapipe.python") is not None:
        return start(BundledDetector)
    return f"this mediapipe brings no models; put a face_landmarker.task at {BUNDLE}, or name one in {BUNDLE_VARIABLE}"


def _default_bundle() -> Path | None:
    named = os.environ.get(BUNDLE_VARIABLE)
    if named:
        return Path(named)
    return BUNDLE if BUNDLE.is_file() else None
