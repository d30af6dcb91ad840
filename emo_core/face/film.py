"""Landmarks of one face in every frame of a film."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..media.video_reader import frames_at, open_source
from .detect import Face, FaceDetector
from .selection import choose_face
from .tracking import FaceTracker

MIN_FRAMES = 3
"""A film of fewer frames has no motion."""


@dataclass(frozen=True, slots=True)
class FilmedFace:
    """One face in F frames."""

    landmarks: np.ndarray
    """(F, 478, 3) pixels, NaN in frames without the face."""
    size: tuple[int, int]
    """Width and height of the frames."""
    fps: float


def watch_film(
    path: Path,
    detector: FaceDetector,
    *,
    face_index: int | None = None,
    max_seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> FilmedFace:
    """Follow a face through a film.

    Args:
        path: of the film.
        detector: one that gives landmarks.
        face_index: number of the face in the first frame that shows one, 0 is the largest; None if there must be one only.
        max_seconds: stop after this much.
        progress: called with the number of frames read; raise in it to cancel.

    Raises:
        InputError: if the film cannot be read, is a still, or shows no face.
    """
    source = open_source(path)
    limit = None if max_seconds is None else max(MIN_FRAMES, round(max_seconds * source.fps))
    frames = (frame for _, frame in frames_at(source, source.fps))
    try:
        return follow_film(frames, detector, fps=source.fps, face_index=face_index, limit=limit, progress=progress)
    except InputError:
        raise
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise InputError(f"film: {path} cannot be read to its end ({error}); copy or save it again") from error


def follow_film(
    frames: Iterator[np.ndarray],
    detector: FaceDetector,
    *,
    fps: float,
    face_index: int | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> FilmedFace:
    """Follow a face through frames (H, W, 3) uint8; at most `limit` of them. See `watch_film`."""
    rows, tracker, size = [], None, (0, 0)
    for number, frame in enumerate(frames):
        if number == limit:
            break
        size = frame.shape[1::-1]
        faces = detector.detect(frame)
        if tracker is None and len(faces) > (face_index or 0):
            tracker = FaceTracker(choose_face(faces, face_index, f"{size[0]} x {size[1]}"), faces)
        face = None if tracker is None else tracker.follow(faces)
        rows.append(_landmarks(face))
        if progress is not None:
            progress(number + 1)
    return filmed(rows, size, fps)


def filmed(rows: list[np.ndarray], size: tuple[int, int], fps: float) -> FilmedFace:
    """Landmarks of all frames as one film.

    Raises:
        InputError: if there are too few frames.
    """
    if len(rows) < MIN_FRAMES:
        raise InputError(
            f"film: got {len(rows)} frames; face motion needs at least {MIN_FRAMES}; give a film, or use the picture as a portrait"
        )
    return FilmedFace(np.stack(rows), size, fps)


def _landmarks(face: Face | None) -> np.ndarray:
    return (
        np.full((478, 3), np.nan) if face is None or face.landmarks is None else np.asarray(face.landmarks, np.float64)
    )
