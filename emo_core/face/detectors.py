"""Choose a face detector: MediaPipe if it is installed, else the built-in one."""

import importlib.util
import logging
import os
from pathlib import Path

from ..errors import InputError
from .built_in_detector import BuiltInDetector
from .detect import FaceDetector
from .mediapipe_detector import BundledDetector, TasksDetector

BUNDLE_VARIABLE = "EMO_FACE_LANDMARKER"
BUNDLE = Path(__file__).resolve().parents[2] / "models" / "face_landmarker.task"


def make_detector(bundle: Path | None = None, *, landmarks: bool = False, blendshapes: bool = False) -> FaceDetector:
    """Choose a detector: MediaPipe with the bundle given, one that is found, or its own models; else the built-in one.

    A bundle is looked for in the environment variable EMO_FACE_LANDMARKER and at `models/face_landmarker.task`. A MediaPipe that
    is installed, but at odds with numpy or protobuf, is passed over with a warning, unless only it would do.

    Args:
        bundle: a face_landmarker.task.
        landmarks: whether they are needed; the built-in finder has none.
        blendshapes: whether they are wanted too; only a bundle gives them.

    Raises:
        InputError: where the bundle cannot be used, only MediaPipe would do, or the built-in finder's weights are gone.
        CheckpointError: where those weights are broken.
    """
    try:
        found = _mediapipe(bundle, blendshapes)
    except InputError:
        raise
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError, OSError) as error:
        found = f"MediaPipe is installed but does not work here ({error}); install it again"
        logging.getLogger(__name__).warning("%s; the built-in face finder has to do", found)
    if not isinstance(found, str):
        return found
    if landmarks or bundle is not None:
        raise InputError(f"face detector: {found} (the built-in face finder gives no landmarks and takes no bundle)")
    return BuiltInDetector()


def _mediapipe(bundle: Path | None, blendshapes: bool) -> FaceDetector | str:
    """MediaPipe's detector, or what it lacks."""
    if importlib.util.find_spec("mediapipe") is None:
        return "mediapipe is not installed; `pip install mediapipe==0.10.21`"
    found = bundle or _found_bundle()
    if found is not None:
        return TasksDetector(found, blendshapes=blendshapes)
    if importlib.util.find_spec("mediapipe.python") is not None:
        return BundledDetector()
    return f"this mediapipe brings no models; put a face_landmarker.task at {BUNDLE}, or name one in {BUNDLE_VARIABLE}"


def _found_bundle() -> Path | None:
    named = os.environ.get(BUNDLE_VARIABLE)
    if named:
        return Path(named)
    return BUNDLE if BUNDLE.is_file() else None
