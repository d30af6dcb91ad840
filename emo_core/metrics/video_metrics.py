"""Metrics of one video without a true one: motion, blinks, position, seams, drift, flicker; and of a set of videos.

Shape legend: F frames.
"""

from collections.abc import Sequence

import numpy as np

from .lip_sync import envelope_correlation
from .observation import Observation
from .similarity import appearance_distance
from .statistics import Metrics, deviation, mean, ratio

EYELIDS = (9, 10)
"""Blendshapes eyeBlinkLeft and eyeBlinkRight."""
BLINK_SCORE = 0.5
"""Blendshape score above which an eyelid is closed."""
REFERENCE_SECONDS = (1.0, 3.0)
"""Start and end in seconds of the part that a video's end is compared with. The first second is left out: it has zero motion
frames."""
END_SECONDS = 2.0
"""Length of a video's end in seconds."""


def video_metrics(video: Observation, *, clip_frames: int = 0) -> Metrics:
    """Metrics of one video.

    Args:
        video: the video.
        clip_frames: frames per clip of the model that generated it, for `seam_ratio`; 0 for none.
    """
    has_face, speed = video.has_face, video.head_speed
    metrics: Metrics = {
        "seconds": video.frames / video.fps,
        "face_found": float(has_face.mean()),
        "opening_spread": deviation(video.opening),
        "speed_mean": float(speed.mean()) if len(speed) else None,
        "speed_variance": float(speed.var()) if len(speed) else None,
        "blinks": _blinks(video),
        "face_x": mean(video.face_centres[has_face, 0]),
        "face_y": mean(video.face_centres[has_face, 1]),
        "fine_detail": mean(video.fine_detail),
        "flicker": mean(video.flicker),
        "envelope_correlation": None,
    }
    if len(video.loudness):
        metrics["envelope_correlation"] = envelope_correlation(video.opening, video.loudness, video.fps)
    return metrics | _drift(video) | (_seams(video, clip_frames) if clip_frames else {})


def set_metrics(videos: Sequence[Metrics]) -> Metrics:
    """Head speed (Table 2 of the paper) and blink rate of a set, from the metrics of its videos.

    Blinks are counted over all videos: the median over many short videos would be 0.
    """
    means, variances = (
        [video[name] for video in videos if video[name] is not None] for name in ("speed_mean", "speed_variance")
    )
    with_blinks = [video for video in videos if video["blinks"] is not None]
    minutes = sum(video["seconds"] * video["face_found"] for video in with_blinks) / 60
    return {
        "blinks_per_minute": sum(video["blinks"] for video in with_blinks) / minutes if with_blinks else None,
        "speed_mean": float(np.mean(means)) if means else None,
        "speed_variance": float(np.mean(variances)) if variances else None,
        "speed_variance_across_clips": float(np.var(means)) if len(means) > 1 else None,
    }


def share_inside_region(video: Observation, region: tuple[float, float, float, float]) -> float | None:
    """Share of the frames with a face whose centre lies in a region (left, top, right, bottom, shares of the picture)."""
    x, y = video.face_centres[video.has_face].T
    left, top, right, bottom = region
    return float(((x >= left) & (x <= right) & (y >= top) & (y <= bottom)).mean()) if len(x) else None


def _drift(video: Observation) -> Metrics:
    """Change of identity and colour at the end, against the reference seconds; None for too short videos."""
    first, last = (round(second * video.fps) for second in REFERENCE_SECONDS)
    end = video.frames - round(END_SECONDS * video.fps)
    if end < last or not video.has_face[: last - first].any():
        return {"identity_drift": None, "shape_drift": None, "colour_drift": None}
    start = int(np.argmax(video.has_face))
    distances = appearance_distance(video.face_crops, video.face_crops[start : start + 1])
    landmarks = video.normalised_landmarks
    shapes = np.sqrt(((landmarks - landmarks[start]) ** 2).sum(-1)).mean(1)
    colour = np.abs(video.colour[end:].mean(0) - video.colour[first:last].mean(0)).max()
    return {
        "identity_drift": ratio(mean(distances[end:]), mean(distances[first:last])),
        "shape_drift": ratio(mean(shapes[end:]), mean(shapes[first:last])),
        "colour_drift": float(colour),
    }


def _seams(video: Observation, clip_frames: int) -> Metrics:
    """Frame change at the borders of clips over the frame change inside them."""
    index = np.arange(video.frames)
    border = (index % clip_frames == 0) & (index > 0)
    inside = ~border & (index > 0)
    return {"seam_ratio": ratio(mean(video.frame_change[border]), mean(video.frame_change[inside]))}


def _blinks(video: Observation) -> float | None:
    """Number of times that both eyelids close."""
    if not video.blendshapes.shape[1] or not video.has_face.any():
        return None
    lids = video.blendshapes[:, EYELIDS].mean(1)
    # A comparison with NaN is false: frames next to one without a face are no blink.
    return float(((lids[:-1] <= BLINK_SCORE) & (lids[1:] > BLINK_SCORE)).sum())
