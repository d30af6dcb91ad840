"""Numbers of a video of one face.

Shape legend: F frames, S picture side.
"""

from dataclasses import dataclass

import numpy as np

from emo_core.face import mesh_points as mesh
from emo_core.face.detect import FaceDetector
from emo_core.face.mouth import mouth_opening
from recipes.portrait.judge import FaceJudge

FPS = 25.0
CLOSED = 0.6


@dataclass(frozen=True, slots=True)
class Points:
    """Landmarks of a video."""

    landmarks: np.ndarray
    """(F, 478, 3) pixels, NaN without a face."""

    @classmethod
    def of(cls, frames: np.ndarray, detector: FaceDetector) -> "Points":
        """Find the largest face in each frame (F, S, S, 3)."""
        rows = []
        for frame in frames:
            faces = detector.detect(np.ascontiguousarray(frame))
            found = faces[0].landmarks if faces else None
            rows.append(np.full((478, 3), np.nan) if found is None else np.asarray(found, np.float64))
        return cls(np.stack(rows))

    @property
    def seen(self) -> np.ndarray:
        """(F,) whether there is a face."""
        return np.isfinite(self.landmarks[:, 0, 0])

    @property
    def opening(self) -> np.ndarray:
        """(F,) of the mouth, over the height of the face."""
        return mouth_opening(self.landmarks)


def lids(points: Points) -> np.ndarray:
    """(F,) mean height of the openings of both eyes over their width."""
    landmarks, shares = points.landmarks, []
    for upper, lower, _ in mesh.EYES:
        width = np.linalg.norm(landmarks[:, upper[0], :2] - landmarks[:, upper[-1], :2], axis=-1)
        heights = np.linalg.norm(landmarks[:, upper[1:-1], :2] - landmarks[:, lower[1:-1], :2], axis=-1)
        shares.append(heights.mean(1) / np.maximum(width, 1e-6))
    return np.mean(shares, axis=0)


def blinks(points: Points) -> float:
    """Times a minute that the lids come closer than CLOSED of their usual distance."""
    opening = lids(points)
    closed = np.concatenate([[False], opening < CLOSED * np.nanmedian(opening)])
    return float((closed[1:] & ~closed[:-1]).sum() * 60 * FPS / len(opening))


def mean_cosine(frames: np.ndarray, landmarks: np.ndarray, judge: FaceJudge, own: np.ndarray) -> float:
    """Median cosine of the frames with a face to an embedding; NaN without any."""
    pairs = zip(frames, landmarks, strict=True)
    same = [float(judge.embed(frame, points) @ own) for frame, points in pairs if np.isfinite(points[0, 0])]
    return float(np.median(same)) if same else float("nan")


def seams(frames: np.ndarray, clip_frames: int) -> float:
    """Mean change from frame to frame at the borders of clips over that inside them."""
    change = np.abs(np.diff(frames.astype(np.float32), axis=0)).mean((1, 2, 3))
    border = np.arange(1, len(frames)) % clip_frames == 0
    return float(change[border].mean() / max(change[~border].mean(), 1e-6)) if border.any() else float("nan")


def flicker(frames: np.ndarray, landmarks: np.ndarray) -> float:
    """Mean change from frame to frame above the head, in grey levels."""
    top = np.nanmin(landmarks[..., 1]) if np.isfinite(landmarks).any() else len(frames[0]) / 4
    strip = frames[:, : max(6, int(top - 0.2 * frames.shape[1])), :].astype(np.float32)
    return float(np.abs(np.diff(strip, axis=0)).mean())
