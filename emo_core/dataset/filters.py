"""Which clips are kept: limits as data, and the reason in words if a clip is rejected.

Shape legend: F frames, S samples.
"""

from dataclasses import dataclass

import numpy as np

from ..metrics.lip_sync import SYLLABLE_BAND, lag, loudness, speech_share
from .labels import Labels

FAILED = "failed"
"""Reason of a video at which a worker failed: a fault of the program, or of the computer."""
REASONS = (
    FAILED, "unreadable", "no sound", "no face", "several faces", "cuts", "too short", "too small", "too close", "profile", "on its side",
    "too dark", "no speech", "bad sync",
)  # fmt: skip
"""All reasons, in the order in which they are tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Limits; the defaults reject only clips that are clearly unfit."""

    min_seconds: float = 1.5
    """Shorter pieces are rejected."""
    max_seconds: float = 12.0
    """Longer ones are cut into equal pieces (the paper's clips last 3 to 12 s)."""
    several: float = 0.5
    """A second face counts from this share of the first one's height on."""
    missing: int = 3
    """Frames without a face that are interpolated, at most."""
    side: float = 0.6
    """Side of the square in source pixels over the side of the stored picture, at least."""
    margin: float = 0.02
    """Free border between the face and the edges of the square, as a share of its side, at least; see `labels.face_margin`."""
    yaw: float = 60.0
    """Turn of the head in degrees above which a frame is a profile."""
    profiles: float = 0.2
    """Share of frames that are profiles, at most."""
    roll: float = 45.0
    """Tilt of the head in degrees above which a face lies on its side."""
    tilted: float = 0.2
    """Share of frames in which the face lies on its side, at most."""
    luma: float = 40.0
    """Mean brightness of the face, 0 .. 255, at least."""
    speech: float = 0.15
    """Share of frames with speech, at least."""
    sync_seconds: float = 6.0
    """Length in seconds from which lip sync is tested: of shorter pieces, every tenth fits best at a wrong shift by chance."""
    sync_lag: float = 0.12
    """Seconds between sound and mouth at the clearly best shift, at most."""
    sync_clear: float = 0.45
    """Correlation of mouth and loudness from which the best shift is clear, if it also exceeds the correlation without shift by
    twice the chance level of so short a piece."""
    sync_moves: float = 0.004
    """Standard deviation of the mouth opening from which a lag is measured."""
    sync_none: float = 0.05
    """Correlation of mouth and loudness at the best shift, at least."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason to reject a piece of a source."""

    reason: str
    """One of `REASONS`."""
    detail: str
    """The measured number and its limit."""


def filter_clip(
    labels: Labels, luma: float, sound: np.ndarray, *, fps: float, side: float, margin: float, rules: Rules
) -> Rejection | None:
    """Test one piece.

    Args:
        labels: labels of the piece.
        luma: mean brightness of the face, 0 .. 255.
        sound: (S,) at 16 kHz.
        fps: frames per second.
        side: side of the square in source pixels over the side of the stored picture.
        margin: free border of the face; see `labels.face_margin`.
        rules: the limits.

    Returns:
        The reason to reject it; None if it is kept.
    """
    if side < rules.side:
        return Rejection("too small", f"the face's square is {side:.2f} of the stored size, {rules.side:g} is needed")
    if margin < rules.margin:
        return Rejection(
            "too close",
            f"the largest square in the picture leaves {margin:.0%} of its side beside the face, {rules.margin:.0%} are needed",
        )
    profiles = float(np.mean(np.abs(labels.yaw) > rules.yaw))
    if profiles > rules.profiles:
        return Rejection("profile", f"turned by more than {rules.yaw:g} degrees in {profiles:.0%} of the frames")
    tilted = float(np.mean(np.abs(labels.roll) > rules.roll))
    if tilted > rules.tilted:
        return Rejection("on its side", f"tilted by more than {rules.roll:g} degrees in {tilted:.0%} of the frames")
    if luma < rules.luma:
        return Rejection("too dark", f"mean brightness of the face {luma:.0f}, {rules.luma:g} is needed")
    loud = loudness(sound, len(labels), fps)
    speech = speech_share(loud)
    if speech < rules.speech:
        return Rejection("no speech", f"speech in {speech:.0%} of the frames, {rules.speech:.0%} are needed")
    return _filter_sync(labels.opening, loud, fps, rules)


def _filter_sync(opening: np.ndarray, loud: np.ndarray, fps: float, rules: Rules) -> Rejection | None:
    seconds = len(opening) / fps
    if seconds < rules.sync_seconds:
        return None
    late, best, unshifted = lag(opening, loud, fps)
    chance = 1 / np.sqrt(2 * (SYLLABLE_BAND[1] - SYLLABLE_BAND[0]) * seconds)
    clear = opening.std() > rules.sync_moves and best > max(rules.sync_clear, unshifted + 2 * chance)
    if clear and abs(late) > rules.sync_lag:
        return Rejection(
            "bad sync", f"the sound is {late * 1000:+.0f} ms late (correlation {best:.2f}, unshifted {unshifted:.2f})"
        )
    if best < rules.sync_none:
        return Rejection("bad sync", f"the mouth does not follow the sound (correlation {best:.2f})")
    return None
