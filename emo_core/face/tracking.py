"""Follow one face from frame to frame."""

import math

from .detect import Face

MAX_JUMP = 4.0
"""Distance that a face moves at most between two frames in which it is found, in sides of its box."""


class FaceTracker:
    """Finds one face again in each new frame.

    The faces beside it in its last frame are remembered. A new face that is nearer to one of those is not taken for the tracked
    one, so while the tracked face is missed or gone, no neighbour is followed instead.
    """

    def __init__(self, face: Face, faces: list[Face], *, min_overlap: float = 0.0) -> None:
        """Start with a face.

        Args:
            face: the face to follow.
            faces: all faces of its frame, the face among them.
            min_overlap: intersection over union of its boxes in two successive frames, at least.
        """
        self._face, self._faces, self._min_overlap = face, faces, min_overlap
        self.gap = 0
        """Frames since the face was last found."""

    def follow(self, faces: list[Face]) -> Face | None:
        """Find the face among the faces of the next frame; None if it is not among them."""
        candidates = [face for face in faces if self._may_be(face)]
        if not candidates:
            self.gap += 1
            return None
        self._face, self._faces, self.gap = _nearest(self._face, candidates), faces, 0
        return self._face

    def _may_be(self, face: Face) -> bool:
        return (
            _nearest(face, self._faces) is self._face
            and _jump(self._face, face) <= MAX_JUMP
            and self._face.box.overlap(face.box) >= self._min_overlap
        )


def follow_face(face: Face, faces: list[Face], frames: list[list[Face]]) -> list[Face | None]:
    """Follow a face through a clip.

    Args:
        face: the face to follow.
        faces: all faces of its frame, the face among them.
        frames: the faces of each frame from there on.

    Returns:
        The face in each of those frames; None in a frame without it.
    """
    tracker = FaceTracker(face, faces)
    return [tracker.follow(frame) for frame in frames]


def _nearest(face: Face, others: list[Face]) -> Face:
    """The face whose box overlaps most. If none overlaps, the one whose centre is nearest."""
    return max(others, key=lambda other: (other.box.overlap(face.box), -math.dist(other.box.centre, face.box.centre)))


def _jump(start: Face, end: Face) -> float:
    """Distance of the centres over the longest side of the boxes."""
    side = max(start.box.width, start.box.height, end.box.width, end.box.height)
    return math.dist(start.box.centre, end.box.centre) / side
