"""MediaPipe's face landmarks and blendshapes of single pictures."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..face.detect import FaceDetector, bundle_of, make_detector

BLENDSHAPES = 52


class Landmarker:
    """The face of a picture; with a `face_landmarker.task`, its blendshapes too. It is for videos of one person."""

    def __init__(self, bundle: Path | None = None) -> None:
        """Open MediaPipe.

        Raises:
            InputError: where it is not installed, or the bundle is none.
        """
        self._detector: FaceDetector = make_detector(bundle, landmarks=True)
        found = bundle_of(bundle)
        self._tasks = None
        if found is not None:
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=found.read_bytes()), output_face_blendshapes=True
            )
            try:
                self._tasks = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise InputError(f"face model: {found} is no face_landmarker.task; download it again") from error

    @property
    def width(self) -> int:
        """Blendshapes of a face; 0 where the model gives none."""
        return 0 if self._tasks is None else BLENDSHAPES

    def __call__(self, picture: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Picture (H, W, 3) uint8 to (478, 2) pixels and (52,) or (0,); None and NaN where there is no face."""
        if self._tasks is not None:
            import mediapipe

            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            found = self._tasks.detect(image)
            if found.face_landmarks:
                points = np.array([(p.x, p.y) for p in found.face_landmarks[0]]) * picture.shape[1::-1]
                return points, np.array([shape.score for shape in found.face_blendshapes[0]])
        faces = self._detector.detect(picture)  # It also looks at the picture with a border.
        nothing = np.full(self.width, np.nan)
        return (faces[0].landmarks[:, :2], nothing) if faces else (None, nothing)
