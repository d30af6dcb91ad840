"""A film to face motion, frame by frame."""

from typing import Any

import numpy as np

from ...emo_core.errors import InputError
from ...emo_core.face.detect import Face
from ...emo_core.face.film import follow_film
from ...emo_core.face.motion import FaceMotion
from ...emo_core.face.motion_fit import fit_motion
from ...emo_core.face.rig import load_rig
from ..host.audio import to_audio
from ..host.face_landmarks import SOURCE, require_depth, wired_faces
from ..host.film import Film
from ..host.progress import frame_progress
from .landmarks import landmark_detector


def watch(film: Film, landmarks: Any, face_index: int) -> tuple[FaceMotion, dict[str, Any] | None]:
    """The motion of one face, and the film's sound as AUDIO; None for a silent film.

    Args:
        film: to read.
        landmarks: the host's FACE_LANDMARKS of all its frames; None to find them.
        face_index: number of the face.

    Raises:
        InputError: if the film shows no such face in most frames, or the landmarks are not those of the film.
    """
    detector = landmark_detector() if landmarks is None else _WiredFrames(film, landmarks)
    filmed = follow_film(
        film.frames, detector, fps=film.fps, face_index=face_index, progress=frame_progress(film.count)
    )
    if landmarks is not None and film.to_end:
        detector.check_end()
    motion = fit_motion(filmed.landmarks, load_rig(), size=filmed.size, fps=filmed.fps)
    return motion, None if film.track is None else to_audio(film.track)


class _WiredFrames:
    """Gives the faces of one frame after another. Implements `FaceDetector` for a film that is read once, from its start."""

    def __init__(self, film: Film, landmarks: Any) -> None:
        wired = wired_faces(landmarks)
        self._count, self._size, self._faces = len(wired.faces), wired.size, iter(wired.faces[film.first :])

    def check_end(self) -> None:
        """Raise InputError if there are landmarks of more frames than the film has."""
        if next(self._faces, None) is not None:
            raise InputError(
                f"face_landmarks: got landmarks of {self._count} pictures, and the film has fewer; {SOURCE}"
            )

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces of the next frame."""
        width, height = image.shape[1::-1]
        if (width, height) != self._size:
            raise InputError(
                f"face_landmarks: got landmarks of a picture of {self._size[0]} x {self._size[1]} for a film of {width} x {height}; "
                f"{SOURCE}"
            )
        faces = next(self._faces, None)
        if faces is None:
            raise InputError(
                f"face_landmarks: got landmarks of {self._count} pictures, and the film has more; {SOURCE}"
            )
        return [require_depth(face) for face in faces]
