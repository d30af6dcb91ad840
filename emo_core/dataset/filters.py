"""What makes a clip fit for training: limits as data, and the reason, in words, where it is not.

Shape legend: F frames, S samples.
"""

from dataclasses import dataclass

import numpy as np

from ..metrics.lip_sync import SYLLABLE_BAND, lag, loudness, speech_share
from .labels import Labels

REASONS = (
    "unreadable", "no sound", "no face", "several faces", "cuts", "too short", "too small", "profile", "too dark",
    "no speech", "bad sync",
)  # fmt: skip
"""Every reason there is, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Limits; the defaults keep all but the clearly unfit."""

    min_seconds: float = 1.5
    """Shorter pieces are rejected."""
    max_seconds: float = 12.0
    """Longer ones are cut into equal pieces (the paper's clips last 3 to 12 s)."""
    several: float = 0.5
    """A second face counts from this share of the first one's height on."""
    missing: int = 3
    """Frames without a face that are bridged."""
    side: float = 0.6
    """The square must have this share of the stored pictures' side in source pixels: less is only blown up."""
    yaw: float = 60.0
    """Degrees: from here on a frame is a profile."""
    profiles: float = 0.2
    """Share of frames that may be profiles."""
    luma: float = 40.0
    """Mean brightness of the face, 0 .. 255."""
    speech: float = 0.15
    """Share of frames with speech."""
    sync_seconds: float = 6.0
    """Shorter pieces are not judged by their sync: by chance, every tenth fits best at a wrong shift."""
    sync_lag: float = 0.12
    """Seconds by which sound and mouth may differ, if they clearly agree elsewhere."""
    sync_clear: float = 0.45
    """Correlation of mouth and loudness from which an agreement elsewhere is clear, if it also beats the unshifted one by
    twice what chance gives in so short a piece."""
    sync_moves: float = 0.004
    """Spread of the mouth opening below which a mouth is too still to be late."""
    sync_none: float = 0.05
    """Mouth and loudness must correlate more than this at some shift."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A piece of a source that is not kept."""

    reason: str
    """One of `REASONS`."""
    detail: str
    """With the numbers."""


def filter_clip(
    labels: Labels, luma: float, sound: np.ndarray, *, fps: float, side: float, rules: Rules
) -> Rejection | None:
    """Look at one piece.

    Args:
        labels: the piece's.
        luma: mean brightness of the face, 0 .. 255.
        sound: (S,) at 16 kHz.
        fps: frames per second.
        side: side of the square in source pixels over the side of the stored picture.
        rules: the limits.

    Returns:
        Why it is not kept; None if it is.
    """
    if side < rules.side:
        return Rejection("too small", f"the face's square is {side:.2f} of the stored size, {rules.side:g} is needed")
    profiles = float(np.mean(np.abs(labels.yaw) > rules.yaw))
    if profiles > rules.profiles:
        return Rejection("profile", f"turned by more than {rules.yaw:g} degrees in {profiles:.0%} of the frames")
    if luma < rules.luma:
        return Rejection("too dark", f"mean brightness of the face {luma:.0f}, {rules.luma:g} is needed")
    loud = loudness(sound, len(labels.opening), fps)
    speech = speech_share(loud)
    if speech < rules.speech:
        return Rejection("no speech", f"speech in {speech:.0%} of the frames, {rules.speech:.0%} are needed")
    return _judge_sync(labels.opening, loud, fps, rules)


def _judge_sync(opening: np.ndarray, loud: np.ndarray, fps: float, rules: Rules) -> Rejection | None:
    seconds = len(opening) / fps
    if seconds < rules.sync_seconds:
        return None
    late, best, straight = lag(opening, loud, fps)
    chance = 1 / np.sqrt(2 * (SYLLABLE_BAND[1] - SYLLABLE_BAND[0]) * seconds)
    clear = opening.std() > rules.sync_moves and best > max(rules.sync_clear, straight + 2 * chance)
    if clear and abs(late) > rules.sync_lag:
        return Rejection(
            "bad sync", f"the sound is {late * 1000:+.0f} ms late (correlation {best:.2f}, unshifted {straight:.2f})"
        )
    if best < rules.sync_none:
        return Rejection("bad sync", f"the mouth does not follow the sound (correlation {best:.2f})")
    return None
