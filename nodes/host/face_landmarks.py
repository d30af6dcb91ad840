"""The host's FACE_LANDMARKS as a face detector of the core.

ComfyUI's node Detect Face Landmarks gives `{"frames": [[face, ...], ...], "image_size": (H, W), ...}`: a list of faces per
picture. Each face has `landmarks_xy`, MediaPipe's mesh (478, 2) in pixels of the picture, and `landmarks_3d` (478, 3) in pixels of
the square that its network saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...emo_core.errors import InputError
from ...emo_core.face.detect import Face
from ...emo_core.face.selection import RegionRequest, find_faces
from ...emo_core.face.upright import UprightFaces, roll_turns, turned_pictures

POINTS = 478
"""Points of MediaPipe's face mesh."""
SOURCE = "wire the output of Detect Face Landmarks, made from the picture that is wired to `image`"


class WiredDetector:
    """Gives the faces that were detected by another node. Implements `FaceDetector`."""

    def __init__(self, pictures: np.ndarray, faces: list[list[Face]]) -> None:
        """Keep the faces of each picture.

        Args:
            pictures: (B, H, W, 3) uint8.
            faces: B lists, largest face first.
        """
        self._pictures, self._faces = pictures, faces

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces of one of the pictures; none for any other picture."""
        for picture, faces in zip(self._pictures, self._faces, strict=True):
            if picture.shape == image.shape and np.may_share_memory(picture, image):
                return faces
        return []

    def turned(self, pictures: np.ndarray, turns: int) -> WiredDetector:
        """The same faces in pictures (B, H', W', 3) after quarter turns, counter-clockwise."""
        height, width = self._pictures.shape[1:3]
        faces = [[Face.of_mesh(_turned(face.landmarks, width, height, turns)) for face in row] for row in self._faces]
        return WiredDetector(pictures, faces)


def _turned(points: np.ndarray, width: int, height: int, turns: int) -> np.ndarray:
    for _ in range(turns):
        points = np.stack([points[:, 1], width - points[:, 0], points[:, 2]], axis=1)
        width, height = height, width
    return points


def wired_detector(landmarks: Any, pictures: np.ndarray) -> WiredDetector:
    """Check FACE_LANDMARKS, and convert them.

    Args:
        landmarks: the host's FACE_LANDMARKS.
        pictures: (B, H, W, 3) uint8, from which they were made.

    Raises:
        InputError: if it is no FACE_LANDMARKS, or belongs to other pictures.
    """
    wired = wired_faces(landmarks)
    count, height, width = pictures.shape[:3]
    if len(wired.faces) != count:
        raise InputError(
            f"face_landmarks: got landmarks of {len(wired.faces)} pictures for {count} in `image`; {SOURCE}"
        )
    if wired.size != (width, height):
        raise InputError(
            f"face_landmarks: got landmarks of a picture of {wired.size[0]} x {wired.size[1]} for one of {width} x {height} in "
            f"`image`; {SOURCE}"
        )
    return WiredDetector(pictures, wired.faces)


@dataclass(frozen=True, slots=True)
class WiredFaces:
    """FACE_LANDMARKS."""

    faces: list[list[Face]]
    """Of each picture, largest first."""
    size: tuple[int, int]
    """Width and height of the pictures."""


def wired_faces(landmarks: Any) -> WiredFaces:
    """Check FACE_LANDMARKS, and convert them.

    Raises:
        InputError: if it is none.
    """
    frames = landmarks.get("frames") if isinstance(landmarks, Mapping) else None
    if not _is_list(frames) or not all(_is_list(faces) for faces in frames):
        raise InputError(
            f"face_landmarks: got {type(landmarks).__name__} without a list of faces per picture; {SOURCE}"
        )
    size = _size(landmarks.get("image_size"))
    return WiredFaces([_faces(faces) for faces in frames], size)


def upright_by_landmarks(
    detector: WiredDetector,
    pictures: np.ndarray,
    region: RegionRequest,
    watch: Callable[[Iterable[np.ndarray]], Iterable[np.ndarray]] = iter,
) -> UprightFaces:
    """One face of pictures (B, H, W, 3) uint8 of the detector, turned upright by the line between its eyes.

    Raises:
        InputError: if there is none, or none of the chosen number.
    """
    faces = find_faces(watch(pictures), region, detector)
    turns = roll_turns(next(face for face in faces if face is not None).landmarks)
    if not turns:
        return UprightFaces(pictures, faces, 0)
    upright = np.stack(turned_pictures(pictures, turns))
    return UprightFaces(upright, find_faces(upright, region, detector.turned(upright, turns)), turns)


def require_depth(face: Face) -> Face:
    """Return a face whose points have depth.

    Raises:
        InputError: if they lie in one plane.
    """
    if not np.ptp(face.landmarks[:, 2]):
        raise InputError(f"face_landmarks: got a face without depth (landmarks_3d); {SOURCE}")
    return face


def _size(size: Any) -> tuple[int, int]:
    """Width and height."""
    try:
        height, width = (int(side) for side in size)
    except (TypeError, ValueError):
        raise InputError(f"face_landmarks: got image_size {size!r}; expected height and width; {SOURCE}") from None
    return width, height


def _faces(faces: Sequence[Any]) -> list[Face]:
    """The faces of a picture, largest first."""
    found = [Face.of_mesh(_mesh(face)) for face in faces]
    return sorted(found, key=lambda face: -face.box.width * face.box.height)


def _mesh(face: Any) -> np.ndarray:
    """(478, 3) float64 in pixels; z is 0 without `landmarks_3d`."""
    points = face.get("landmarks_xy") if isinstance(face, Mapping) else None
    try:
        points = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.shape != (POINTS, 2):
        got = " x ".join(map(str, points.shape)) or "no points"
        raise InputError(f"face_landmarks: got a face with landmarks_xy of {got}; expected {POINTS} x 2; {SOURCE}")
    if not np.isfinite(points).all():
        raise InputError(f"face_landmarks: got a face with points that are no numbers; {SOURCE}")
    return np.column_stack([points, _depth(face.get("landmarks_3d"), points)])


def _depth(space: Any, points: np.ndarray) -> np.ndarray:
    """(478,) z away from the camera, in pixels of the picture.

    The network's square is scaled and turned into the picture, so both sets of points differ by their spread only.
    """
    try:
        space = np.asarray(space, np.float64)
    except (TypeError, ValueError):
        space = np.empty(0)
    if space.shape != (POINTS, 3) or not np.isfinite(space).all():
        return np.zeros(POINTS)
    spread, inside = (np.linalg.norm(part - part.mean(0)) for part in (points, space[:, :2]))
    return space[:, 2] * (spread / inside if inside else 0.0)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
