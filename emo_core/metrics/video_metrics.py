"""The numbers: of one video, of a generated one against the true one, of a set.

None stands for what cannot be said: too few faces, no sound, nothing to compare with. Shape legend: F frames.
"""

from collections.abc import Sequence

import numpy as np

from .lip_sync import lag
from .observation import LIDS, Observed
from .similarity import agreement

REACH = 5
"""Frames by which the mouth may be early or late."""
LEAST = 12
"""Frames from which two mouths can be compared."""
MIN_FACE_RATE = 0.9
"""Share of frames with a face from which gaps may be bridged."""
TOGETHER = 0.3
"""Correlation from which two mouths move together at all."""
BLINK = 0.5
"""Score of a closed lid."""
SILENT = 1e-4
"""Largest loudness of what is no sound."""
REFERENCE_SECONDS = (1.0, 3.0)
"""Seconds that a long video's end is compared with: the first moment comes from zero motion frames."""
END = 2.0
"""Seconds at the end."""

Numbers = dict[str, float | None]


def alone(video: Observed, *, clip_frames: int = 0) -> Numbers:
    """What one video tells without a true one.

    Args:
        video: the video.
        clip_frames: f of the model that made it, for its seams; 0 for none.
    """
    known = video.found
    opening, speed = video.opening, video.speed
    numbers: Numbers = {
        "seconds": video.frames / video.fps,
        "face_found": float(known.mean()),
        "opening_spread": _spread(opening),
        "speed_mean": float(speed.mean()) if len(speed) else None,
        "speed_variance": float(speed.var()) if len(speed) else None,
        "blinks": _blinks(video),
        "face_x": _mean(video.centres[known, 0]),
        "face_y": _mean(video.centres[known, 1]),
        "fine_detail": _mean(video.fine),
        "flicker": _mean(video.flicker),
        "envelope_correlation": None,
    }
    if len(video.loud):
        numbers["envelope_correlation"] = with_sound(video, video.loud)
    return numbers | _drift(video) | (_seams(video, clip_frames) if clip_frames else {})


def with_sound(video: Observed, loud: np.ndarray) -> float | None:
    """Agreement of the mouth with a loudness (F,) at the rhythm of syllables; None for silence, or where a tenth of the faces is missing.

    The shorter of both counts.
    """
    known, count = video.found, min(video.frames, len(loud))
    if known.mean() <= MIN_FACE_RATE or count < video.fps or loud[:count].max() < SILENT:
        return None
    opening = np.interp(np.arange(video.frames), np.nonzero(known)[0], video.opening[known])
    return lag(opening[:count], loud[:count], video.fps)[2]


def against(made: Observed, true: Observed) -> Numbers:
    """A generated video against the true one; of mouths, the shorter one's frames count.

    Fine detail and flicker are told of one size only: a larger picture has more of the one and less of the other.
    """
    one_size = made.size == true.size
    return mouths(made.opening, true.opening) | {
        "sharpness_ratio": _ratio(_mean(made.fine), _mean(true.fine)) if one_size else None,
        "flicker_ratio": _ratio(_mean(made.flicker), _mean(true.flicker)) if one_size else None,
        "identity_distance": _mean(appearance(made.faces, true.faces[:1])),
        "identity_distance_true": _mean(appearance(true.faces[1:], true.faces[:1])),
    }


def mouths(made: np.ndarray, true: np.ndarray) -> Numbers:
    """Two mouth openings (F,); the shorter one's frames count, and None where they are too few."""
    count = min(len(made), len(true))
    a, b = made[:count], true[:count]
    return {
        "opening_correlation": _together(a, b),
        "opening_correlation_smoothed": _together(smooth(a), smooth(b)),
        "opening_spread_ratio": _ratio(_spread(a), _spread(b)) if count >= LEAST else None,
        "opening_lag": best_lag(a, b),
    }


def _together(a: np.ndarray, b: np.ndarray) -> float | None:
    score = agreement(a, b) if len(a) >= LEAST else np.nan
    return float(score) if np.isfinite(score) else None


def smooth(curve: np.ndarray) -> np.ndarray:
    """Mean of three frames."""
    padded = np.pad(curve, 1, mode="edge")
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def best_lag(made: np.ndarray, true: np.ndarray) -> float | None:
    """Frames by which the generated mouth (F,) is late where it agrees best with the true one; None where it nowhere does."""
    scores = {}
    for shift in range(-REACH, REACH + 1):
        count = max(0, len(made) - abs(shift))
        scores[shift] = _together(made[max(0, shift) :][:count], true[max(0, -shift) :][:count])
    known = {shift: score for shift, score in scores.items() if score is not None and score > TOGETHER}
    return float(max(known, key=lambda shift: (known[shift], -abs(shift)))) if known else None


def appearance(faces: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """1 - correlation of (F, s, s) normalised faces with one (1, s, s): 0 the same picture, 1 nothing alike."""
    return 1 - (faces * reference).mean((1, 2))


def _drift(video: Observed) -> Numbers:
    """Identity, colour at the end over those near the start; None for videos too short to tell."""
    first, last = (round(second * video.fps) for second in REFERENCE_SECONDS)
    end = video.frames - round(END * video.fps)
    if end < last or not video.found[: last - first].any():
        return {"identity_drift": None, "shape_drift": None, "colour_drift": None}
    start = int(np.argmax(video.found))
    looks = appearance(video.faces, video.faces[start : start + 1])
    shape = video.shape
    shapes = np.sqrt(((shape - shape[start]) ** 2).sum(-1)).mean(1)
    colour = np.abs(video.colour[end:].mean(0) - video.colour[first:last].mean(0)).max()
    return {
        "identity_drift": _ratio(_mean(looks[end:]), _mean(looks[first:last])),
        "shape_drift": _ratio(_mean(shapes[end:]), _mean(shapes[first:last])),
        "colour_drift": float(colour),
    }


def _seams(video: Observed, clip_frames: int) -> Numbers:
    """Change at the borders of clips over the change inside them."""
    place = np.arange(video.frames)
    border = (place % clip_frames == 0) & (place > 0)
    inside = ~border & (place > 0)
    return {"seam_ratio": _ratio(_mean(video.change[border]), _mean(video.change[inside]))}


def _blinks(video: Observed) -> float | None:
    if not video.blendshapes.shape[1] or not video.found.any():
        return None
    lids = video.blendshapes[:, LIDS].mean(1)
    # A comparison with NaN is false: what happens next to a frame without a face is no blink.
    return float(((lids[:-1] <= BLINK) & (lids[1:] > BLINK)).sum())


def frechet(a: np.ndarray, b: np.ndarray) -> float | None:
    """Fréchet distance of two sets of vectors (N, D) taken as normal; None where one has too few."""
    a, b = (rows[np.isfinite(rows).all(1)] for rows in (a, b))
    if a.shape[1] == 0 or min(len(a), len(b)) < 2 * a.shape[1]:
        return None
    covariances = [np.cov(rows, rowvar=False) for rows in (a, b)]
    values = np.linalg.eigvals(covariances[0] @ covariances[1])
    shared = np.sqrt(np.maximum(values.real, 0)).sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + sum(np.trace(c) for c in covariances) - 2 * shared
    return float(max(distance, 0.0))


def of_set(rows: Sequence[Numbers]) -> Numbers:
    """Head speed over a whole set (the paper's Table 2), and blinks over all of its time, from the numbers of its videos.

    A median of blinks would be 0 for many short videos that blink now and then.
    """
    means, variances = (
        [row[name] for row in rows if row[name] is not None] for name in ("speed_mean", "speed_variance")
    )
    blinking = [row for row in rows if row["blinks"] is not None]
    minutes = sum(row["seconds"] * row["face_found"] for row in blinking) / 60
    return {
        "blinks_per_minute": sum(row["blinks"] for row in blinking) / minutes if blinking else None,
        "speed_mean": float(np.mean(means)) if means else None,
        "speed_variance": float(np.mean(variances)) if variances else None,
        "speed_variance_across_clips": float(np.var(means)) if len(means) > 1 else None,
    }


def inside(video: Observed, box: tuple[float, float, float, float]) -> float | None:
    """Share of the frames with a face whose middle lies in a box (left, top, right, bottom, shares of the picture)."""
    x, y = video.centres[video.found].T
    left, top, right, bottom = box
    return float(((x >= left) & (x <= right) & (y >= top) & (y <= bottom)).mean()) if len(x) else None


def _spread(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.std()) if len(values) else None


def _mean(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b
