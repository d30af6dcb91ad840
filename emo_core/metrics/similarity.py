"""How near a generated video comes to the true one: mouth, head, picture.

Shape legend: F frames, S picture side.
"""

from dataclasses import dataclass

import numpy as np

from ..face.detect import FaceDetector
from ..face.mouth import mouth_opening
from ..face.pose import head_poses, head_yaw
from .lip_sync import correlation

ENOUGH = 0.5
"""Share of frames in which a face must be found before anything is said of it."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What a face does in a video; NaN where no face was found."""

    opening: np.ndarray
    """(F,) mouth opening."""
    yaw: np.ndarray
    """(F,) degrees."""

    @property
    def found(self) -> float:
        """Share of frames with a face."""
        return float(np.isfinite(self.opening).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """A generated video against the true one."""

    opening: float
    """Correlation of the mouth opening."""
    opening_shuffled: float
    """The same for a video from shuffled sound: what is not owed to the sound."""
    yaw: float
    """Correlation of the head's turn."""
    psnr: float
    """Decibels, mean over frames."""
    spread: float
    """Spread of the mouth opening, generated over true."""
    found: float
    """Share of generated frames in which a face is found."""


def track_face(pictures: np.ndarray, detector: FaceDetector) -> Motion:
    """Find the face in every picture (F, S, S, 3) uint8."""
    size = (pictures.shape[2], pictures.shape[1])
    opening, yaw = np.full(len(pictures), np.nan), np.full(len(pictures), np.nan)
    for index, picture in enumerate(pictures):
        faces = detector.detect(picture)
        if faces:
            landmarks = faces[0].landmarks[None]
            opening[index] = mouth_opening(landmarks)[0]
            yaw[index] = head_yaw(head_poses(landmarks, size))[0]
    return Motion(opening, yaw)


def psnr(made: np.ndarray, true: np.ndarray) -> float:
    """Mean over frames of the peak signal-to-noise ratio of (F, S, S, 3) uint8 in decibels."""
    error = np.mean((made.astype(np.float32) - true.astype(np.float32)) ** 2, axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-6))))


def nearness(made: np.ndarray, shuffled: np.ndarray | None, true: np.ndarray, detector: FaceDetector) -> Nearness:
    """Compare videos of one length.

    Args:
        made: (F, S, S, 3) uint8 from the true sound.
        shuffled: likewise from shuffled sound; None if there is none.
        true: (F, S, S, 3) uint8.
        detector: one that gives landmarks.
    """
    a, t = track_face(made, detector), track_face(true, detector)
    other = None if shuffled is None else track_face(shuffled, detector)
    return Nearness(
        opening=agreement(a.opening, t.opening),
        opening_shuffled=float("nan") if other is None else agreement(other.opening, t.opening),
        yaw=agreement(a.yaw, t.yaw),
        psnr=psnr(made, true),
        spread=float(np.nanstd(a.opening) / max(np.nanstd(t.opening), 1e-9)) if a.found else float("nan"),
        found=a.found,
    )


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation over the frames in which both are known; NaN where those are too few."""
    known = np.isfinite(a) & np.isfinite(b)
    return correlation(a[known], b[known]) if known.mean() >= ENOUGH else float("nan")


def shuffle_sound(waveform: np.ndarray, seed: int = 0, blocks: int = 12) -> np.ndarray:
    """The same sound (S,) with its parts in another order: the same voice, but nothing fits the picture."""
    parts = np.array_split(waveform, blocks)
    order = np.random.default_rng(seed).permutation(blocks)
    return np.concatenate([parts[i] for i in order])
