"""Face detection behind a small protocol: MediaPipe where it is installed, else the pack's own finder."""

import importlib.util
import itertools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from ..errors import InputError, existing_file
from .box import Box

MAX_SIDE = 1280
"""Larger pictures are searched at this size; landmarks come back in the picture's own pixels."""
MAX_FACES = 8
PAD = 0.5
"""Where no face is found, the picture is searched again with a border of this share of its side: detectors expect
some space around a head."""
BUNDLE_VARIABLE = "EMO_FACE_LANDMARKER"
Mesh = tuple[np.ndarray, np.ndarray | None]
"""Landmarks (478, 3) as shares of the picture, and blendshapes."""
BUNDLE = Path(__file__).resolve().parents[2] / "models" / "face_landmarker.task"


@dataclass(frozen=True, slots=True)
class Face:
    """One found face."""

    box: Box
    """Brow to chin, ear to ear, in pixels of the picture."""
    landmarks: np.ndarray | None = None
    """(478, 3) MediaPipe's face mesh: x right, y down, z away, all in pixels, not rounded; None from a detector that
    finds only boxes."""
    blendshapes: np.ndarray | None = None
    """(52,) scores of MediaPipe's expressions, where they were asked for."""

    @classmethod
    def of_mesh(cls, landmarks: np.ndarray, blendshapes: np.ndarray | None = None) -> "Face":
        """The face of a mesh; its box goes around all landmarks."""
        (left, top), (right, bottom) = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        return cls(Box(float(left), float(top), float(right), float(bottom)), landmarks, blendshapes)


class FaceDetector(Protocol):
    """Anything that finds faces."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces of a picture (H, W, 3) uint8 RGB, largest first."""
        ...


class TasksDetector:
    """MediaPipe's Face Landmarker (Tasks API) with a `face_landmarker.task` bundle."""

    def __init__(self, bundle: Path, *, blendshapes: bool = False) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        bundle = existing_file(bundle, "face detector", "a face_landmarker.task")
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=bundle.read_bytes()),
            num_faces=MAX_FACES,
            output_face_blendshapes=blendshapes,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"face detector: {bundle} is no face_landmarker.task; download it again") from error

    def detect(self, image: np.ndarray) -> list[Face]:
        """See `FaceDetector`."""
        return _search(self._meshes, image)

    def _meshes(self, image: np.ndarray) -> list[Mesh]:
        import mediapipe

        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        found = self._landmarker.detect(picture)
        shapes = [np.array([shape.score for shape in face]) for face in found.face_blendshapes or []]
        meshes = [np.array([(p.x, p.y, p.z) for p in points]) for points in found.face_landmarks]
        return list(itertools.zip_longest(meshes, shapes))


class BundledDetector:
    """MediaPipe's older Face Mesh, whose models come inside the wheel (mediapipe up to 0.10.21)."""

    def __init__(self) -> None:
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self._mesh = FaceMesh(static_image_mode=True, max_num_faces=MAX_FACES, refine_landmarks=True)

    def detect(self, image: np.ndarray) -> list[Face]:
        """See `FaceDetector`."""
        return _search(self._meshes, image)

    def _meshes(self, image: np.ndarray) -> list[Mesh]:
        found = self._mesh.process(image).multi_face_landmarks or []
        return [(np.array([(p.x, p.y, p.z) for p in face.landmark]), None) for face in found]


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
    from .finder import FinderDetector

    return FinderDetector()


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


def _search(meshes: Callable[[np.ndarray], list[Mesh]], image: np.ndarray) -> list[Face]:
    """Search a picture at most MAX_SIDE large, then with a border; meshes come in shares of the searched picture."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    small = np.asarray(Image.fromarray(image).resize((max(1, round(width * scale)), max(1, round(height * scale)))))
    for pad in (0, round(PAD * max(small.shape))):
        searched = np.ascontiguousarray(np.pad(small, ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
        found = meshes(searched)
        if found:
            break
    size = np.array([searched.shape[1], searched.shape[0], searched.shape[1]])
    faces = [
        Face.of_mesh((points * size - [pad, pad, 0]) * (width / small.shape[1]), shapes) for points, shapes in found
    ]
    return sorted(faces, key=lambda face: -face.box.width * face.box.height)
