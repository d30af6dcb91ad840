"""Drawn people: the rig's face in motion, as landmarks and as coloured drawings."""

import numpy as np

from emo_core.avatar.edges import edges_picture
from emo_core.avatar.pictures import PicturesWriter
from emo_core.avatar.takes import FPS, Take
from emo_core.avatar.track import Track
from emo_core.face.alignment import TO_RIG, align
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import FaceRig


def landmarks_of(motion: FaceMotion, rig: FaceRig, size: int) -> np.ndarray:
    """(F, 478, 3) of the rig's mean face, which fills a good part of a square."""
    return (rig.points(motion) * 0.24 * size + [0.5 * size, -0.45 * size, 0]) * TO_RIG


def talking(frames: int, *, turning: float = 0.0, phase: float = 0.0) -> FaceMotion:
    """A mouth that opens and closes, lips that round in between, and a head that may turn to and fro."""
    time = np.arange(frames) / FPS
    motion = FaceMotion.still(frames, FPS).with_curves(
        {
            "jawOpen": 0.4 + 0.4 * np.sin(2 * np.pi * 1.7 * time + phase),
            "mouthPucker": 0.2 + 0.2 * np.sin(2 * np.pi * 0.6 * time + phase),
        }
    )
    turn = np.stack([np.zeros(frames), turning * np.sin(2 * np.pi * 0.4 * time), np.zeros(frames)], axis=1)
    return FaceMotion(
        coefficients=motion.coefficients,
        rotation=turn.astype(np.float32),
        translation=motion.translation,
        fps=FPS,
        names=motion.names,
    )


def neutral_of(rig: FaceRig, size: int) -> np.ndarray:
    """(478, 3) aligned."""
    return align(landmarks_of(FaceMotion.still(1, FPS), rig, size)).points[0]


def drawn_track(rig: FaceRig, *, size: int, takes: tuple[int, ...] = (40, 40)) -> Track:
    """A person who is a drawing."""
    motions = [talking(frames, turning=2, phase=number) for number, frames in enumerate(takes)]
    motion = FaceMotion(
        coefficients=np.concatenate([part.coefficients for part in motions]),
        rotation=np.concatenate([part.rotation for part in motions]),
        translation=np.concatenate([part.translation for part in motions]),
        fps=FPS,
        names=motions[0].names,
    )
    landmarks, writer = landmarks_of(motion, rig, size), PicturesWriter()
    for picture in edges_picture(landmarks, size):
        writer.add(picture)
    firsts = np.cumsum([0, *takes])
    return Track(
        pictures=writer.done(),
        landmarks=landmarks.astype(np.float32),
        shown=np.ones(len(motion), bool),
        motion=motion,
        neutral=neutral_of(rig, size),
        takes=tuple(Take(f"take {n}", int(firsts[n]), frames, None) for n, frames in enumerate(takes)),
        size=size,
    )
