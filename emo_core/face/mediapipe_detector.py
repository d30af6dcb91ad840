"""MediaPipe's face mesh as a face detector."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError
from ..files import existing_file
from .detect import MAX_FACES, Face

MAX_SIDE = 1280
"""Longer side in pixels of the pictures that are searched; larger ones are scaled down."""
PAD = 0.5
"""A picture without a face is searched again with a border of this share of its side, as detectors expect space around a
head."""
Mesh = tuple[np.ndarray, np.ndarray | None]
"""Landmarks (478, 3) as shares of the picture, and blendshapes (52,)."""


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
        result = self._landmarker.detect(picture)
        shapes = [np.array([shape.score for shape in face]) for face in result.face_blendshapes or []]
        meshes = [np.array([(p.x, p.y, p.z) for p in points]) for points in result.face_landmarks]
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
        faces = self._mesh.process(image).multi_face_landmarks or []
        return [(np.array([(p.x, p.y, p.z) for p in face.landmark]), None) for face in faces]


def _search(meshes: Callable[[np.ndarray], list[Mesh]], image: np.ndarray) -> list[Face]:
    """Search a picture of at most MAX_SIDE, then again with a border. `meshes` gives shares of the searched picture."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    small = np.asarray(Image.fromarray(image).resize((max(1, round(width * scale)), max(1, round(height * scale)))))
    for pad in (0, round(PAD * max(small.shape))):
        searched = np.ascontiguousarray(np.pad(small, ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
        results = meshes(searched)
        if results:
            break
    size = np.array([searched.shape[1], searched.shape[0], searched.shape[1]])
    faces = [
        Face.of_mesh((points * size - [pad, pad, 0]) * (width / small.shape[1]), shapes) for points, shapes in results
    ]
    return sorted(faces, key=lambda face: -face.box.width * face.box.height)
