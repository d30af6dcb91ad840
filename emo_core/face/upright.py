"""Portraits that lie on their side or head: phones and messengers lose the mark that turns them.

Shape legend: H W picture.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ..errors import InputError
from .crop import Crop
from .detect import Face, FaceDetector
from .detector_view import GREY, View
from .selection import NoFaceError, RegionRequest, choose_face, find_faces
from .tracking import follow_face

EYE_CORNERS = (33, 263)
"""Landmarks of the outer eye corners, from left to right in an upright picture."""
TURNS = (1, 2, 3)
"""Quarter turns, counter-clockwise, beside none."""
SIZE = 256
"""Side in pixels of the square around a face that is turned to try it."""
TILT = 30.0
"""Degrees of the trial turns for landmarks."""
TILTS = (-50.0, -37.0, -25.0, -12.0, 0.0, 12.0, 25.0, 37.0, 50.0)
"""Degrees of the trial turns for scores."""
NEIGHBOURS = 4
"""Number of tilts in which a face must be found."""
STEADY = 0.012
"""Landmarks that move less than this share of the face's height in trial turns are right; those of 130 portraits moved by .008 in
the median."""
MAX_MOTION = 0.05
"""Landmarks that move more than this in trial turns lie on no face."""
CLEARLY = 0.7
"""In the turned picture, the landmarks move less than this share of that: the portrait must be turned."""
MARGIN = 0.25
"""Score by which a turned face must be better where a detector gives no landmarks."""


@dataclass(frozen=True, slots=True)
class UprightFaces:
    """Pictures whose face is upright."""

    images: Sequence[np.ndarray]
    """Each (H, W, 3) uint8, turned."""
    faces: list[Face | None]
    """The same face in each of them, in its pixels; None where it is missing, and for the whole picture."""
    turns: int
    """Quarter turns, counter-clockwise, from the given pictures to `images`."""

    def of_given(self, crop: Crop) -> Crop:
        """A square of the upright pictures as a square of the given ones, for pasting back."""
        height, width = self.images[0].shape[:2]
        return replace(crop, turns=self.turns, picture=(height, width) if self.turns % 2 else (width, height))


def find_upright(
    images: Sequence[np.ndarray],
    request: RegionRequest,
    detector: FaceDetector | None,
    watch: Callable[[Iterable[np.ndarray]], Iterable[np.ndarray]] = iter,
) -> UprightFaces:
    """Find one face in all frames of a clip, or in a portrait, and turn the pictures until the face is upright.

    Only a detected face is turned. A box, a mask or the whole picture are taken as they are.

    Args:
        images: each (H, W, 3) uint8.
        request: the choice of the face.
        detector: for `auto`.
        watch: iterates over pictures for the detector; raise in it to cancel.

    Raises:
        InputError: as `find_faces`, or if the face lies on its side however the pictures are turned.
    """
    try:
        faces = find_faces(watch(images), request, detector)
    except NoFaceError:
        turned = _turned_with_face(images[0], request, detector)
        if turned is None:
            raise
        return turned
    first = next((place for place, face in enumerate(faces) if face is not None), 0)
    turns = quarter_turns(images[first], faces[first], detector) if request.kind == "auto" else 0
    if not turns:
        return UprightFaces(images, faces, 0)
    upright = turned_pictures(images, turns)
    frames = [detector.detect(image) for image in watch(upright[first:])]
    expected = _turned_centre(faces[first], images[first].shape, turns)
    face = next((other for other in frames[0] if _holds(other, expected)), None)
    if face is None or quarter_turns(upright[first], face, detector):
        raise InputError("portrait: the face lies on its side or head; turn the picture upright and give it again")
    return UprightFaces(upright, [None] * first + follow_face(face, frames[0], frames), turns)


def _turned_with_face(image: np.ndarray, request: RegionRequest, detector: FaceDetector) -> UprightFaces | None:
    """A portrait turned so that its face is upright, where no face is found as it is; None if there is none."""
    for turns in TURNS:
        (turned,) = turned_pictures([image], turns)
        faces = [face for face in detector.detect(turned) if not quarter_turns(turned, face, detector)]
        if faces:
            face = choose_face(faces, request.face_index, f"{turned.shape[1]} x {turned.shape[0]}")
            return UprightFaces([turned], [face], turns)
    return None


def turned_pictures(images: Sequence[np.ndarray], turns: int) -> list[np.ndarray]:
    """Pictures after quarter turns, counter-clockwise."""
    return [np.ascontiguousarray(np.rot90(image, turns)) for image in images]


def quarter_turns(image: np.ndarray, face: Face, detector: FaceDetector) -> int:
    """Quarter turns, counter-clockwise, that make a detected face of a picture (H, W, 3) uint8 upright."""
    square = View.around(face.box, SIZE).cut(image)
    if face.landmarks is None:
        return 0 if face.score is None else _turns_by_score(square, detector)
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
    return round(_roll(landmarks) / 90) % 4


def _roll(landmarks: np.ndarray) -> float:
    """Degrees, clockwise, by which the line between the eyes is turned."""
    (x, y) = (landmarks[EYE_CORNERS[1]] - landmarks[EYE_CORNERS[0]])[:2]
    return float(np.degrees(np.arctan2(y, x)))


def _turns_by_score(square: np.ndarray, detector: FaceDetector) -> int:
    """The turn in which the face is found best, if it is clearly better than none."""
    scores = [_steady_score(_turned(square, turns), detector) for turns in range(4)]
    best = int(np.argmax(scores))
    return best if scores[best] > scores[0] + MARGIN else 0


def _steady_score(square: np.ndarray, detector: FaceDetector) -> float:
    """The least score in the best four neighbouring tilts: a face is found in all of them, another thing by chance in one.

    The tilts reach so far because heads are tilted, too.
    """
    scores = [_score(_tilted(square, degrees), detector) for degrees in TILTS]
    return max(min(scores[start : start + NEIGHBOURS]) for start in range(len(TILTS) - NEIGHBOURS + 1))


def _score(square: np.ndarray, detector: FaceDetector) -> float:
    return max((face.score for face in detector.detect(square)), default=0.0)


def _landmark_motion(square: np.ndarray, detector: FaceDetector) -> float:
    """Mean distance between the landmarks of a square and those of the square tilted to both sides, over the face's height.

    Landmarks of a face turn with it. Landmarks that were put on something else do not. Infinite if there is no upright face.
    """
    faces = detector.detect(square)
    if not faces or roll_turns(faces[0].landmarks):
        return float("inf")
    level = _tilted(square, _roll(faces[0].landmarks))  # Heads are tilted, too; the trial turns must not add to that.
    faces, centre = detector.detect(level), (len(square) - 1) / 2
    if not faces:
        return float("inf")
    points, distances = faces[0].landmarks[:, :2], []
    for degrees in (TILT, -TILT):
        others = detector.detect(_tilted(level, degrees))
        if not others:
            return float("inf")
        angle = np.deg2rad(degrees)
        back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        untilted = (others[0].landmarks[:, :2] - centre) @ back.T + centre
        distances.append(np.linalg.norm(untilted - points, axis=1).mean())
    return float(np.mean(distances) / np.ptp(points[:, 1]))


def landmark_motion(image: np.ndarray, face: Face, detector: FaceDetector) -> float:
    """How far a face's landmarks move when the picture (H, W, 3) uint8 is tilted, over the face's height; infinite if lost."""
    return _landmark_motion(View.around(face.box, SIZE).cut(image), detector)


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
