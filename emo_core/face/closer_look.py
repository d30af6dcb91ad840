"""A second, closer look for distant faces, where a detector finds none in the whole picture."""

from dataclasses import replace

import numpy as np

from .detect import Face, FaceDetector
from .detector_view import View

SIZE = 256
"""Side in pixels of the square around a distant face, as the detector sees it."""


class CloserLook:
    """Asks a detector first. Where it finds no face, a finder of boxes says where to look again at a higher resolution."""

    def __init__(self, detector: FaceDetector, finder: FaceDetector) -> None:
        """Join a detector that gives landmarks and one that finds smaller faces."""
        self.detector, self.finder = detector, finder

    def detect(self, image: np.ndarray) -> list[Face]:
        """See `FaceDetector`."""
        return self.detector.detect(image) or self._closer(image)

    def _closer(self, image: np.ndarray) -> list[Face]:
        views = [View.around(face.box, SIZE) for face in self.finder.detect(image)]
        seen = [(view, self.detector.detect(view.cut(image))[:1]) for view in views]
        return [_outside(view, face) for view, faces in seen for face in faces]


def _outside(view: View, face: Face) -> Face:
    """A face of a view in pixels of the picture."""
    scale = view.side / view.size
    landmarks = None if face.landmarks is None else face.landmarks * scale + [view.left, view.top, 0]
    return replace(face, box=view.outside(face.box), landmarks=landmarks)
