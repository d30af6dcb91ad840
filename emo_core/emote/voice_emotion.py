"""An emotion curve proposed from a voice, by rules on pitch, spectral tilt, rate and stress. Nothing here is learnt.

Rules follow the reviews of Juslin and Laukka (2003) and Scherer (2003). A voice tells arousal well: tense or excited speech has more energy at
high frequencies, higher and wider pitch, and stress; sad speech is slow, low, narrow and dull. It tells little of valence, so an aroused
phrase is often a blend of two emotions, and none is proposed unless the phrase is far from calm speech. Disgust and contempt are never proposed:
their voices have no common cue. The proposal is a start for the user to edit.

Shape legend: N phrases, E = 7 emotions besides neutral.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..emotion import BLEND, EXPRESSIVE, NEUTRAL, STRONGEST, EmotionCurve
from ..errors import InputError
from ..media.sound import Sound
from .voice_cues import NAMES, Cues, voice_cues

AROUSAL = {"tilt": 0.6, "level": 0.5, "range": 0.2, "rate": 0.1, "lift": 0.2, "stress": 0.15}
"""Weights of the cues in spreads. Tilt leads: it follows vocal effort, and does not depend on the speaker's sex."""
CALM, FULL = 1.3, 2.4
"""Arousal at which an emotion begins, and at which it has its full strength."""
LOW = {"tilt": -0.25, "range": -0.25, "rate": -0.25, "lift": -0.15, "rise": -0.1}
"""Weights of sadness."""
DULL, SADDEST = 0.85, 1.7
"""Sadness at which it begins, and at which it has its full strength."""
MOST = {"happy": 0.7, "sad": 0.6, "surprise": 0.8, "fear": 0.8, "anger": 0.8}
"""Strengths that a phrase far from calm speech gets."""
KINDS = {
    "anger": {"tilt": 0.8, "stress": 0.3, "level": -0.3, "range": -0.1},
    "fear": {"level": 1.0, "tilt": 0.2, "rise": 0.3, "range": -0.4},
    "surprise": {"range": 0.8, "level": 0.5, "rise": 0.4, "lift": 0.2, "tilt": -0.3},
    "happy": {"range": 0.6, "rate": 0.3, "level": 0.3, "lift": 0.2},
}
"""Cues that tell aroused emotions apart."""
SHARPNESS = 2.0
"""Of the choice among them, per spread."""
LEAST_SHARE = 0.3
"""Share of a phrase's emotion below which a second one is left out."""
NEIGHBOURS = 0.25
"""Weight of the phrases before and after one."""
REACH = 3.0
"""Seconds of silence across which phrases are neighbours."""
APART = 2.0
"""Least seconds between points."""
STEP, LEAST = 0.05, 0.1
"""Of strengths: a proposal is no finer, and none is fainter. A point is left out where the line through the others passes as near as STEP."""


def propose(sound: Sound, *, strength: float = 1.0) -> EmotionCurve:
    """Propose emotions for a voice. `str` of the curve is text for the user to edit.

    Args:
        sound: see `media.sound.load_sound`.
        strength: multiplies all strengths, 0 .. STRONGEST.

    Returns:
        A curve with at most one point every APART seconds; `NEUTRAL` for calm speech.

    Raises:
        InputError: for a strength out of range.
    """
    if not 0 <= strength <= STRONGEST:
        raise InputError(f"strength: got {strength:g}; expected 0 .. {STRONGEST:g} (1 is the full emotion)")
    cues = _spaced(smoothed(voice_cues(sound)))
    strengths = np.array([phrase_emotion(phrase) for phrase in cues]).reshape(-1, len(EXPRESSIVE))
    strengths = np.minimum(np.round(strengths * strength / STEP) * STEP, STRONGEST)
    strengths[strengths.sum(1) < LEAST - 1e-9] = 0
    seconds = [round((phrase.start + phrase.stop) / 2, 1) for phrase in cues]
    kept = _needed(seconds, strengths)
    if not strengths[kept].any():
        return NEUTRAL
    points = tuple(tuple(round(float(amount), 2) for amount in strengths[point]) for point in kept)
    return EmotionCurve(tuple(seconds[point] for point in kept), points)


def arousal(cues: Cues) -> float:
    """How excited a phrase is: 0 in calm speech, about 3 in a shout."""
    return _sum(cues, AROUSAL)


def phrase_emotion(cues: Cues) -> tuple[float, ...]:
    """The E strengths of one phrase: none, one emotion, or a blend of two."""
    excited = _ramp(arousal(cues), CALM, FULL)
    if not excited:
        sad = _ramp(_sum(cues, LOW), DULL, SADDEST)
        return tuple(MOST["sad"] * sad if name == "sad" else 0.0 for name in EXPRESSIVE)
    scores = {name: math.exp(SHARPNESS * _sum(cues, weights)) for name, weights in KINDS.items()}
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:BLEND]
    shares = {name: scores[name] / sum(scores[other] for other in best) for name in best}
    if shares[best[1]] < LEAST_SHARE:
        shares = {best[0]: 1.0}
    return tuple(MOST[name] * excited * shares[name] if name in shares else 0.0 for name in EXPRESSIVE)


def smoothed(cues: Sequence[Cues]) -> list[Cues]:
    """Each phrase with some of its neighbours, by their lengths: one odd phrase makes no emotion."""
    return [_mixed(cues, index) for index in range(len(cues))]


def _mixed(cues: Sequence[Cues], index: int) -> Cues:
    here = cues[index]
    around = [(here, here.seconds)]
    around += [
        (other, NEIGHBOURS * other.seconds)
        for other in cues[max(0, index - 1) : index]
        if here.start - other.stop < REACH
    ]
    around += [
        (other, NEIGHBOURS * other.seconds) for other in cues[index + 1 : index + 2] if other.start - here.stop < REACH
    ]
    weights = [weight for _, weight in around]
    return Cues(
        here.start,
        here.stop,
        **{name: float(np.average([getattr(phrase, name) for phrase, _ in around], weights=weights)) for name in NAMES},
    )


def _spaced(cues: Sequence[Cues]) -> list[Cues]:
    """Phrases whose middles are at least APART; the longer of two that are not."""
    kept: list[Cues] = []
    for phrase in cues:
        if kept and (phrase.start + phrase.stop - kept[-1].start - kept[-1].stop) / 2 < APART:
            kept[-1] = max(kept[-1], phrase, key=lambda one: one.seconds)
        else:
            kept.append(phrase)
    return kept


def _needed(seconds: Sequence[float], strengths: np.ndarray) -> list[int]:
    """Points without which the curve would be another by more than STEP: indices, rising."""
    ends = np.flatnonzero(np.any(np.diff(strengths, axis=0) != 0, axis=1))
    if not len(ends):
        return [0] if len(seconds) else []
    kept, final = [int(ends[0])], int(ends[-1]) + 1  # The curve is constant before and after.
    for end in range(kept[0] + 2, final + 1):
        first = kept[-1]
        share = (np.array(seconds[first + 1 : end]) - seconds[first]) / (seconds[end] - seconds[first])
        line = strengths[first] + share[:, None] * (strengths[end] - strengths[first])
        if np.abs(strengths[first + 1 : end] - line).max() > STEP + 1e-9:
            kept.append(end - 1)
    return [*kept, final]


def _sum(cues: Cues, weights: dict[str, float]) -> float:
    return sum(weight * getattr(cues, name) for name, weight in weights.items())


def _ramp(value: float, low: float, high: float) -> float:
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return share * share * (3 - 2 * share)
