"""Similarity of a generated video to the true one: mouth, head, picture, appearance, distributions of features.

Shape legend: F frames, H W picture, N vectors, D width of a vector.
"""

from dataclasses import dataclass

import numpy as np

from ..face.detect import FaceDetector
from ..face.mouth import mouth_opening
from ..face.pose import head_poses, head_yaw
from .lip_sync import mouth_metrics
from .observation import Observation
from .statistics import Metrics, mean, nan_correlation, ratio


@dataclass(frozen=True, slots=True)
class FaceMotion:
    """Motion of a face; NaN in frames without a face."""

    opening: np.ndarray
    """(F,) mouth opening."""
    yaw: np.ndarray
    """(F,) degrees."""

    @property
    def face_found(self) -> float:
        """Share of frames with a face."""
        return float(np.isfinite(self.opening).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """Similarity of generated frames to the true ones; NaN if too few faces are found."""

    opening: float
    """Correlation of the mouth opening."""
    opening_shuffled: float
    """The same for a video from shuffled sound: the control."""
    yaw: float
    """Correlation of the head's yaw."""
    psnr: float
    """Decibels, mean over frames."""
    spread: float
    """Standard deviation of the mouth opening, generated over true."""
    face_found: float
    """Share of generated frames with a face."""


def compare_frames(
    generated: np.ndarray, shuffled: np.ndarray | None, true: np.ndarray, detector: FaceDetector
) -> Similarity:
    """Compare the frames of videos of one length.

    Args:
        generated: (F, H, W, 3) uint8 from the true sound.
        shuffled: (F, H, W, 3) uint8 from shuffled sound; None for no control.
        true: (F, H, W, 3) uint8.
        detector: one that gives landmarks.
    """
    motion, true_motion = track_face(generated, detector), track_face(true, detector)
    control = None if shuffled is None else track_face(shuffled, detector)
    spread = float("nan")
    if motion.face_found:
        spread = float(np.nanstd(motion.opening) / max(np.nanstd(true_motion.opening), 1e-9))
    return Similarity(
        opening=nan_correlation(motion.opening, true_motion.opening),
        opening_shuffled=float("nan") if control is None else nan_correlation(control.opening, true_motion.opening),
        yaw=nan_correlation(motion.yaw, true_motion.yaw),
        psnr=psnr(generated, true),
        spread=spread,
        face_found=motion.face_found,
    )


def track_face(frames: np.ndarray, detector: FaceDetector) -> FaceMotion:
    """Detect the face in every frame of (F, H, W, 3) uint8."""
    size = (frames.shape[2], frames.shape[1])
    opening, yaw = np.full(len(frames), np.nan), np.full(len(frames), np.nan)
    for index, frame in enumerate(frames):
        faces = detector.detect(frame)
        if faces:
            landmarks = faces[0].landmarks[None]
            opening[index] = mouth_opening(landmarks)[0]
            yaw[index] = head_yaw(head_poses(landmarks, size))[0]
    return FaceMotion(opening, yaw)


def compare_videos(generated: Observation, true: Observation) -> Metrics:
    """Compare a generated video with the true one.

    Fine detail and flicker depend on the picture's size: their ratios are None for videos of two sizes.
    """
    same_size = generated.size == true.size
    return mouth_metrics(generated.opening, true.opening) | {
        "sharpness_ratio": ratio(mean(generated.fine_detail), mean(true.fine_detail)) if same_size else None,
        "flicker_ratio": ratio(mean(generated.flicker), mean(true.flicker)) if same_size else None,
        "identity_distance": mean(appearance_distance(generated.face_crops, true.face_crops[:1])),
        "identity_distance_true": mean(appearance_distance(true.face_crops[1:], true.face_crops[:1])),
    }


def psnr(generated: np.ndarray, true: np.ndarray) -> float:
    """Peak signal-to-noise ratio of (F, H, W, 3) uint8 in decibels, mean over frames."""
    error = np.mean((generated.astype(np.float32) - true.astype(np.float32)) ** 2, axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-6))))


def appearance_distance(faces: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """1 - correlation of (F, h, w) normalised faces with one (1, h, w): 0 for equal pictures, 1 for unrelated ones."""
    return 1 - (faces * reference).mean((1, 2))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float | None:
    """Fréchet distance of two sets of vectors (N, D), each as a normal distribution; None for fewer than 2 D vectors."""
    a, b = (rows[np.isfinite(rows).all(1)] for rows in (a, b))
    if a.shape[1] == 0 or min(len(a), len(b)) < 2 * a.shape[1]:
        return None
    covariances = [np.cov(rows, rowvar=False) for rows in (a, b)]
    # The trace of the matrix's square root is the sum of the square roots of its eigenvalues.
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1])
    shared = np.sqrt(np.maximum(eigenvalues.real, 0)).sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + sum(np.trace(c) for c in covariances) - 2 * shared
    return float(max(distance, 0.0))
