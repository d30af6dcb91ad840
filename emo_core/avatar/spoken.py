"""A sound becomes a person's motion: their mouth, and their own head, brows, gaze and blinks.

Shape legend: F frames, K curves of the mouth.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..audio.features import FrameFeatures
from ..emote.blinks import MEAN, BlinkTrack
from ..emote.closure import opening_of
from ..emote.emotion_track import emotion_track
from ..emote.head import LIMIT, SHIFT_LIMIT, limited
from ..emote.motion_units import STEP, UnitTrack
from ..emote.speak import BLOCK, MOST
from ..emote.weights import EmoteModel
from ..emote.whole_face import FaceParts, whole_face
from ..emotion import NEUTRAL, EmotionCurve
from ..errors import InputError
from ..face.motion import FaceMotion
from ..media.sound import Sound
from .heard import Hearing
from .person_motion import Person
from .person_speech import Voice
from .takes import FPS

HEADS = ("generated", "still")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRequest:
    """How a person speaks. Amounts are 1 as filmed, and 0 for none."""

    seed: int = 0
    """Chooses among the many right motions of head, brows and lids."""
    head: Literal["generated", "still"] = "generated"
    """A still head keeps the rest pose, as for frames of film that bring their own."""
    mouth_amount: float = 1.0
    head_amount: float = 1.0
    brows_amount: float = 1.0
    blinks_amount: float = 1.0
    """Their rate over the person's."""
    emotion: EmotionCurve = NEUTRAL
    """What the face shows while it speaks."""
    emotion_style: int = 0
    """Whose way of showing emotions: 0 is the average person's, each other number is another person's."""

    def __post_init__(self) -> None:
        """Raise InputError for values that no face follows."""
        if self.seed < 0:
            raise InputError(f"seed: got {self.seed}; expected 0 or more")
        if self.head not in HEADS:
            raise InputError(f"head: got {self.head!r}; expected {' or '.join(HEADS)}")
        for name in ("mouth", "head", "brows", "blinks"):
            amount = getattr(self, f"{name}_amount")
            if not 0 <= amount <= MOST:
                raise InputError(f"{name} amount: got {amount:g}; expected 0 .. {MOST:g} (1 is as filmed)")
        if self.emotion_style < 0:
            raise InputError(f"emotion style: got {self.emotion_style}; expected 0 (the average) or more")


def speak_person(
    sound: Sound,
    emote: EmoteModel,
    person: Person,
    request: PersonRequest,
    *,
    features: FrameFeatures | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Iterator[FaceMotion]:
    """Make a person say a sound, some seconds at a time, so that memory stays flat.

    Args:
        sound: see `media.sound.load_sound`.
        emote: with which the person was learnt.
        person: who speaks.
        request: how.
        features: of the sound at 25 frames per second by the emote model's encoder; None to encode while the motion is made.
        progress: gets the finished share, 0 .. 1; it may raise `errors.Cancelled`.

    Yields:
        Parts of the motion in order, at 25 frames per second and together as long as the sound. The same seed gives the same motion.

    Raises:
        InputError: for an emote model or features that the person was not learnt with, or emotions that the model does not know.
    """
    speaker = _PersonSpeaker(sound, emote, person, request, features)
    for first in range(0, speaker.frames, BLOCK):
        last = min(first + BLOCK, speaker.frames)
        yield speaker.block(first, last)
        progress(last / speaker.frames)


class PersonMouth:
    """Curves of a person's lips and jaw, computed window by window."""

    def __init__(self, hearing: Hearing, emote: EmoteModel, person: Person, amount: float) -> None:
        """Nothing is computed yet."""
        person.speech.check(emote)
        self._hearing, self._speech, self._curves = hearing, person.speech, emote.config.curves
        self._opening, self._amount = opening_of(emote.rig, self._curves), amount
        self._voice = Voice.of(hearing.prosody)
        self.frames = hearing.frames

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, K) of frames [first, last) in 0 .. 1."""
        heard, voice = self._hearing.take(first, last), self._voice[first:last]
        return np.clip(self._speech.mouth(heard, voice, self._opening, self._curves) * self._amount, 0, 1)


class _PersonSpeaker:
    """All tracks of one sound."""

    def __init__(
        self,
        sound: Sound,
        emote: EmoteModel,
        person: Person,
        request: PersonRequest,
        features: FrameFeatures | None,
    ) -> None:
        self._request, self._curves = request, emote.config.curves
        hearing = Hearing(sound, emote, features)
        self.frames = hearing.frames
        self._mouth = PersonMouth(hearing, emote, person, request.mouth_amount)
        self._emotion = emotion_track(
            emote,
            hearing.listening,
            self._mouth,
            hearing.prosody,
            emotion=request.emotion,
            style=request.emotion_style,
        )
        units, blinks = np.random.SeedSequence(request.seed).spawn(2)
        self._units = UnitTrack(person.bank, hearing.prosody, np.random.default_rng(units))
        self._blinks = BlinkTrack(
            person.bank.blinks,
            hearing.prosody.pause,
            np.random.default_rng(blinks),
            rate=request.blinks_amount * person.blinks * MEAN / 60,
            fps=FPS,
        )

    def block(self, first: int, last: int) -> FaceMotion:
        """Frames [first, last) of a block that begins at a multiple of BLOCK."""
        request, count = self._request, last - first
        units = self._units.take(-(-count // STEP))
        amount = 0.0 if request.head == "still" else request.head_amount
        parts = FaceParts(
            mouth=dict(zip(self._curves, self._mouth.take(first, last).T, strict=True)),
            brows=units.curves[:count] * request.brows_amount,
            lids=self._blinks.take(first, last),
            felt=None if self._emotion is None else self._emotion.take(first, last),
            rotation=limited(units.rotation[:count] * amount, LIMIT),
            translation=limited(units.translation[:count] * amount, SHIFT_LIMIT),
            gaze=units.gaze[:count],
        )
        return whole_face(parts)
