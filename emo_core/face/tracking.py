"""One face through the frames of a clip, among others."""

import math

from .detect import Face

MAX_JUMP = 4.0
"""Sides of its box that a face moves at most from one frame in which it is found to the next."""


def follow_face(who: Face, seen: list[Face], frames: list[list[Face]]) -> list[Face | None]:
    """Find a face again, frame by frame.

    Where it was last seen, the others were seen too: a face that is nearer to one of those is not taken for it, nor is one that is
    farther than a face leaps. So where a detector misses it, or it has left, nobody else who was there, and nobody far off, is
    followed instead.

    Args:
        who: the face.
        seen: all faces of its frame.
        frames: the faces of the frames from there on.

    Returns:
        The face in each of those frames; None where it is not found.
    """
    found: list[Face | None] = []
    for faces in frames:
        alike = [face for face in faces if _nearest(face, seen) is who and _leap(who, face) <= MAX_JUMP]
        found.append(_nearest(who, alike) if alike else None)
        if alike:
            who, seen = found[-1], faces
    return found


def _nearest(face: Face, others: list[Face]) -> Face:
    """The one whose box overlaps most, or, where none does, whose centre is nearest."""
    return max(others, key=lambda other: (other.box.overlap(face.box), -math.dist(other.box.centre, face.box.centre)))


def _leap(start: Face, end: Face) -> float:
    """Distance of the centres in longest sides of the boxes."""
    side = max(start.box.width, start.box.height, end.box.width, end.box.height)
    return math.dist(start.box.centre, end.box.centre) / side
