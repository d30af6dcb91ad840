"""The host's AUDIO to face motion."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...emo_core.audio.voice import Excerpt
from ...emo_core.emote.speak import SpeakRequest, speak_blocks
from ...emo_core.emote.weights import load_emote
from ...emo_core.emotion import NEUTRAL, EmotionCurve
from ...emo_core.face.motion import FaceMotion, concatenated
from ...emo_core.head_speed import parse_speed
from ..host.audio import heard, to_audio, to_track
from ..host.progress import share_progress

AMOUNTS = ("mouth", "head", "brows", "blinks", "gaze")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechSettings:
    """The settings of SpeechToFaceMotion."""

    style: str
    seed: int
    speed: str
    """Degrees per frame, as text: one number, or a curve."""
    mouth: float
    head: float
    brows: float
    blinks: float
    gaze: float
    emotion: EmotionCurve | None = None
    """None for a neutral face."""
    emotion_style: int = 0


def speak_audio(
    audio: Mapping[str, Any], path: Path, excerpt: Excerpt, settings: SpeechSettings
) -> tuple[FaceMotion, dict[str, Any]]:
    """Let a face speak.

    Returns:
        The motion, and the excerpt of the sound as AUDIO.

    Raises:
        InputError: if the sound or a setting cannot be used.
        CheckpointError: if the file is no model that speaks.
    """
    part = to_track(audio).part(excerpt.start, excerpt.seconds)
    amounts = {name: getattr(settings, name) for name in AMOUNTS}
    speed = parse_speed(settings.speed)
    request = SpeakRequest(
        fps=excerpt.fps,
        seed=settings.seed,
        speed=speed,
        style=settings.style,
        emotion=settings.emotion or NEUTRAL,
        emotion_style=settings.emotion_style,
        **amounts,
    )
    sound = heard(part, excerpt.loudness)
    parts = list(speak_blocks(sound, load_emote(path), request, progress=share_progress()))
    return concatenated(parts), to_audio(part)
