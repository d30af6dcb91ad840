"""Cut a motion bank from motion that was read from film: the units of head, brows and gaze, and the blinks.

Shape legend: F frames of one film at 25 fps, C columns, T frames of a blink.
"""

from collections.abc import Sequence

import numpy as np

from ..face.coefficients import BLINK
from ..face.motion import FaceMotion
from ..smoothing import gaussian
from .bank import CURVES

REACH = 8
"""Frames of a blink on each side of its middle: T is 2 REACH + 1."""
SHUT = 0.6
"""Lids in the middle of a blink, at least."""
REST = 0.25
"""Quantile of a curve that is its film's rest."""
SMOOTH = 1.5
"""Frames over which brows are smoothed."""
CONTACT = 0.75
"""Share of the head's turn that eyes take back, see `speak`."""
GAZE_LIMIT = 5.0
"""Degrees."""


def without_blinks(values: np.ndarray, lids: np.ndarray) -> np.ndarray:
    """(F, C) interpolated where the lids (F,) are shut: landmarks of iris and lids are wrong there."""
    seen = lids < np.median(lids) + 0.3
    seen &= np.convolve(seen, np.ones(5), "same")[: len(seen)] > 4.5
    if not seen.any():
        return values
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, frames[seen], column[seen]) for column in values.T], axis=1)


def unit_parts(motion: FaceMotion, features: np.ndarray) -> dict[str, np.ndarray]:
    """One film as part of a bank, all but its blinks.

    Args:
        motion: of the film, F frames.
        features: (F, 3) of its sound, see `Prosody.features`.
    """
    lids = motion.curves(BLINK).min(1)
    curves = gaussian(without_blinks(motion.curves(CURVES), lids), SMOOTH)
    curves = np.maximum(curves - np.quantile(curves, REST, axis=0), 0)
    contact = np.stack([-motion.rotation[:, 1], motion.rotation[:, 0]], axis=1) * CONTACT
    gaze = gaussian(without_blinks(motion.gaze - contact, lids), SMOOTH)
    return {
        "rotation": motion.rotation,
        "translation": motion.translation,
        "curves": curves,
        "gaze": np.clip(gaze - np.median(gaze, axis=0), -GAZE_LIMIT, GAZE_LIMIT),
        "features": features,
        "room": np.arange(len(motion), 0, -1),
    }


def blinks_of(motion: FaceMotion) -> list[np.ndarray]:
    """(T, 2) lids of a film's blinks, open at both ends and shut in the middle."""
    lids = motion.curves(BLINK)
    both, found = lids.min(1), []
    for middle in range(REACH, len(lids) - REACH):
        part = lids[middle - REACH : middle + REACH + 1]
        if both[middle] < SHUT or both[middle] < both[middle - REACH : middle + REACH + 1].max():
            continue
        rest = np.maximum(part[:2].mean(0), part[-2:].mean(0))
        if (rest > 0.35).any() or part[:3].max() > 0.5:
            continue
        line = np.linspace(part[0], part[-1], len(part))
        curve = (part - line) / np.maximum(part[REACH] - line[REACH], 1e-3)
        fade = np.minimum(1, np.minimum(np.arange(len(part)), np.arange(len(part))[::-1]) / 2)[:, None]
        curve = np.clip(curve * fade, 0, 1)
        if ((curve > 0.5).sum(0) < REACH).all():
            found.append(curve)
    return found


def typical(blinks: Sequence[np.ndarray], most: int) -> np.ndarray:
    """At most so many of the blinks, those nearest to their mean curve: (Q, T, 2)."""
    if not blinks:
        return np.zeros((0, 2 * REACH + 1, 2))
    stacked = np.stack(blinks)
    distance = np.square(stacked - stacked.mean(0)).sum((1, 2))
    return stacked[np.argsort(distance, kind="stable")[:most]]
