"""A face motion at the frame rate of a file, with its blinks and closed lips kept.

Shape legend: F frames, N frames at the new rate, K coefficients.
"""

from dataclasses import replace

import numpy as np

from ...face.coefficients import BLINK
from ...face.motion import FaceMotion

CLOSE = 0.75
"""Least share of the motion's rate at which hardly two of its frames fall into one."""


def at_rate(motion: FaceMotion, fps: float) -> FaceMotion:
    """Return the motion at another frame rate.

    To a higher rate: interpolated at the middle of each frame. An interpolated curve misses its peaks where no new frame
    falls on them, so the new frame nearest to a peak or a valley takes its value: lids that closed still close, and so do
    lips. To a lower rate: each frame is the mean over its own time, as a camera's would be, so that fast motion does not
    alias; then the blinks get their peaks back, and so do all curves where the rates are close (25 to 24): a mean of two
    halves would open lips that close for one frame.
    """
    if fps == motion.fps:
        return motion
    close = fps > CLOSE * motion.fps
    if fps > motion.fps:
        made, kept = motion.resampled(fps), range(len(motion.names))
    else:
        made, kept = _averaged(motion, fps), [k for k, name in enumerate(motion.names) if close or name in BLINK]
    values = np.array(made.coefficients)
    nearest = np.clip(((np.arange(len(motion)) + 0.5) * fps / motion.fps).astype(int), 0, len(made) - 1)
    for column in kept:
        curve = motion.coefficients[:, column]
        peaks = _peaks(curve) | _peaks(-curve) if close else _peaks(curve)
        # Where two peaks fall into one frame, the higher one stays: they are written in rising order.
        order = np.flatnonzero(peaks)
        order = order[np.argsort(curve[order], kind="stable")]
        values[nearest[order], column] = curve[order]
    return replace(made, coefficients=values)


def _peaks(curve: np.ndarray) -> np.ndarray:
    """(F,) whether a value is above the one before and not below the next."""
    padded = np.concatenate([curve[:1], curve, curve[-1:]])
    return (curve > padded[:-2]) & (curve >= padded[2:])


def _averaged(motion: FaceMotion, fps: float) -> FaceMotion:
    """The mean over each new frame's time; a frame of the motion lasts from its start to the next one's."""
    frames = max(1, round(motion.seconds * fps))
    edges = np.minimum(np.arange(frames + 1) * motion.fps / fps, len(motion))
    # Integrals up to each edge, linear inside a frame.
    known = np.arange(len(motion) + 1)
    width = np.maximum(np.diff(edges), 1e-9)[:, None]

    def mean(values: np.ndarray) -> np.ndarray:
        sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
        at_edges = np.stack([np.interp(edges, known, column) for column in sums.T], axis=1)
        return (np.diff(at_edges, axis=0) / width).astype(np.float32)

    parts = {name: mean(getattr(motion, name)) for name in ("coefficients", "rotation", "translation")}
    return replace(motion, fps=fps, **parts)
