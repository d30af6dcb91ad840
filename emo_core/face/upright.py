"""Portraits that lie on their side or head: phones and messengers lose the mark that turns them.

Shape legend: H W picture.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ..errors import InputError
from .crop import Crop
from .detect import Face, FaceDetector
from .detector_view import GREY, View
from .selection import RegionRequest, find_face

EYE_CORNERS = (33, 263)
"""Landmarks of the outer eye corners, from left to right in an upright picture."""
TURNS = (1, 2, 3)
"""Quarter turns, counter-clockwise, beside none."""
SIZE = 256
"""Side in pixels of the square around a face that is turned to try it."""
TILT = 30.0
"""Degrees of the trial turns for landmarks."""
TILTS = (-25.0, -12.0, 0.0, 12.0, 25.0)
"""Degrees of the trial turns for scores."""
STEADY = 0.012
"""Landmarks that move less than this share of the face's height in trial turns are right; those of 130 portraits moved by .008 in
the median."""
CLEARLY = 0.7
"""In the turned picture, the landmarks move less than this share of that: the portrait must be turned."""
MARGIN = 0.35
"""Score by which a turned face must be better where a detector gives no landmarks."""


@dataclass(frozen=True, slots=True)
class UprightFace:
    """A portrait whose face is upright."""

    image: np.ndarray
    """(H, W, 3) uint8, turned."""
    face: Face | None
    """In pixels of that; None for the whole picture."""
    turns: int
    """Quarter turns, counter-clockwise, from the given portrait to `image`."""

    def of_given(self, crop: Crop) -> Crop:
        """A square of the upright portrait as a square of the given one, for pasting back."""
        height, width = self.image.shape[:2]
        return replace(crop, turns=self.turns, picture=(height, width) if self.turns % 2 else (width, height))


def find_upright(image: np.ndarray, request: RegionRequest, detector: FaceDetector | None) -> UprightFace:
    """Find the face of a portrait (H, W, 3) uint8 and turn the portrait until the face is upright.

    Only a detected face is turned. A box, a mask or the whole picture are taken as they are.

    Raises:
        InputError: as `find_face`, or if the face lies on its side however the portrait is turned.
    """
    try:
        face = find_face(image, request, detector)
    except InputError:
        turned = _turned_with_face(image, detector) if request.kind == "auto" else None
        if turned is None:
            raise
        return turned
    turns = quarter_turns(image, face, detector) if request.kind == "auto" else 0
    if not turns:
        return UprightFace(image, face, 0)
    turned = np.ascontiguousarray(np.rot90(image, turns))
    expected = _turned_centre(face, image.shape, turns)
    faces = [other for other in detector.detect(turned) if _holds(other, expected)]
    if not faces or quarter_turns(turned, faces[0], detector):
        raise InputError("portrait: the face lies on its side or head; turn the picture upright and give it again")
    return UprightFace(turned, faces[0], turns)


def _turned_with_face(image: np.ndarray, detector: FaceDetector) -> UprightFace | None:
    """The portrait turned so that its only face is upright, where no face is found as it is; None if there is none."""
    if detector.detect(image):
        return None
    for turns in TURNS:
        turned = np.ascontiguousarray(np.rot90(image, turns))
        faces = detector.detect(turned)
        if len(faces) == 1 and not quarter_turns(turned, faces[0], detector):
            return UprightFace(turned, faces[0], turns)
    return None


def quarter_turns(image: np.ndarray, face: Face, detector: FaceDetector) -> int:
    """Quarter turns, counter-clockwise, that make a detected face of a picture (H, W, 3) uint8 upright."""
    square = View.around(face.box, SIZE).cut(image)
    if face.landmarks is None:
        return _turns_by_score(square, detector)
    # Detectors may fit upright landmarks to a face that stands on its head. Such landmarks are not steady.
    motions = [_landmark_motion(square, detector)]
    if motions[0] <= STEADY:
        return 0
    motions += [_landmark_motion(_turned(square, turns), detector) for turns in TURNS]
    best = int(np.argmin(motions))
    if not np.isfinite(motions[best]):
        return roll_turns(face.landmarks)
    return best if motions[best] < CLEARLY * motions[0] else 0


def roll_turns(landmarks: np.ndarray) -> int:
    """Quarter turns, counter-clockwise, that make landmarks (478, 2 or 3) upright, by the line between the eyes."""
    (x, y) = (landmarks[EYE_CORNERS[1]] - landmarks[EYE_CORNERS[0]])[:2]
    return round(float(np.degrees(np.arctan2(y, x))) / 90) % 4


def _turns_by_score(square: np.ndarray, detector: FaceDetector) -> int:
    """The turn in which the face is found best in all trial turns."""
    scores = [
        min(_score(_tilted(_turned(square, turns), degrees), detector) for degrees in TILTS) for turns in range(4)
    ]
    best = int(np.argmax(scores))
    return best if scores[best] > scores[0] + MARGIN else 0


def _score(square: np.ndarray, detector: FaceDetector) -> float:
    return max((face.score for face in detector.detect(square)), default=0.0)


def _landmark_motion(square: np.ndarray, detector: FaceDetector) -> float:
    """Mean distance between the landmarks of a square and those of the square tilted to both sides, over the face's height.

    Landmarks of a face turn with it. Landmarks that were put on something else do not. Infinite if there is no upright face.
    """
    faces = detector.detect(square)
    if not faces or roll_turns(faces[0].landmarks):
        return float("inf")
    points, centre = faces[0].landmarks[:, :2], (len(square) - 1) / 2
    distances = []
    for degrees in (TILT, -TILT):
        others = detector.detect(_tilted(square, degrees))
        if not others:
            return float("inf")
        angle = np.deg2rad(degrees)
        back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        untilted = (others[0].landmarks[:, :2] - centre) @ back.T + centre
        distances.append(np.linalg.norm(untilted - points, axis=1).mean())
    return float(np.mean(distances) / np.ptp(points[:, 1]))


def _tilted(square: np.ndarray, degrees: float) -> np.ndarray:
    picture = Image.fromarray(square).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=(GREY, GREY, GREY))
    return np.asarray(picture)


def _turned(square: np.ndarray, turns: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(square, turns))


def _turned_centre(face: Face, shape: tuple[int, ...], turns: int) -> tuple[float, float]:
    """Centre of a face in the turned picture."""
    x, y = face.box.centre
    height, width = shape[:2]
    for _ in range(turns):
        x, y, height, width = y, width - x, width, height
    return x, y


def _holds(face: Face, point: tuple[float, float]) -> bool:
    box, (x, y) = face.box, point
    return box.left <= x <= box.right and box.top <= y <= box.bottom
