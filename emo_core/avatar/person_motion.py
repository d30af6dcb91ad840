"""How a person moves beside the mouth: real units of head, brows and gaze, blinks, and their rate, from film.

Shape legend: F frames of a run, N frames of all, Q blinks of T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..emote.bank import PARTS, MotionBank
from ..emote.bank_cutting import blinks_of, typical, unit_parts
from ..emote.head import mean_speed
from ..emote.prosody import Prosody
from ..emote.weights import EmoteModel
from ..errors import CheckpointError, InputError
from ..face.coefficients import BLINK
from ..face.motion import FaceMotion
from ..face.rig import FaceRig
from .person_speech import PersonSpeech, learn_speech
from .takes import FPS, Take
from .track import Track

SHORTEST_RUN = 25
"""Frames without a break from which motion is used."""
OWN_POSE = (5.0, 20.0)
"""Seconds of a run up to which its mean pose is taken away, and from which it stays: the head of a short film holds the pose of that film,
and must not wander between those of many."""
MOST_BLINKS = 24
FEWEST_BLINKS = 3
"""Of a film, from which its own blinks and their rate are used."""
BLINK_SECONDS = 20.0
"""Length of film from which its rate of blinks is believed."""
USUAL_BLINKS = 12.0
"""A minute: the rate of a person whose films show too few blinks to count."""
BLINK_RANGE = (2.0, 40.0)
"""A minute."""
SHUT = 0.5
"""Of both lids, from which a frame belongs to a blink."""
SPEECH, BANK, NUMBERS = "speech.", "bank.", "person.numbers"
"""Names in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What speaking needs of a person."""

    speech: PersonSpeech
    bank: MotionBank
    """Of the person; with too few blinks in the films, the blinks are the emote model's."""
    blinks: float
    """A minute; USUAL_BLINKS where the films show too few to count."""

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name, as `from_arrays` reads them."""
        named = {SPEECH + name: values for name, values in self.speech.arrays().items()}
        named |= {BANK + name: np.asarray(getattr(self.bank, name), np.float32) for name in PARTS}
        return named | {NUMBERS: np.array([self.blinks], np.float32)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Person:
        """Check what a file holds; other names are passed over.

        Raises:
            CheckpointError: if it is no person.
        """
        speech, bank = (
            {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
            for prefix in (SPEECH, BANK)
        )
        numbers = np.asarray(arrays.get(NUMBERS, ()), np.float64)
        if numbers.shape != (1,) or not np.isfinite(numbers).all() or (numbers < 0).any():
            raise CheckpointError("avatar: the file does not say how often the person blinks; make the avatar again")
        return cls(
            speech=PersonSpeech.from_arrays(speech),
            bank=MotionBank.from_arrays(bank),
            blinks=float(np.clip(numbers[0], 0, BLINK_RANGE[1])),
        )


def learn_person(
    track: Track,
    emote: EmoteModel,
    rig: FaceRig,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Person:
    """Learn how a person speaks and moves.

    Args:
        track: of the person.
        emote: whose mouth is corrected.
        rig: of the track's motion.
        seed: of the learning.
        progress: gets the finished share, 0 .. 1; it may raise `errors.Cancelled`.

    Raises:
        InputError: if the films have no sound, too little speech, or the person is never seen for a second.
    """
    bank = person_bank(track)
    if len(bank.blinks) < FEWEST_BLINKS:
        bank = replace(bank, blinks=emote.bank.blinks)
    speech = learn_speech(track, emote, rig, seed=seed, progress=progress)
    return Person(speech=speech, bank=bank, blinks=blinks_a_minute(track))


def person_bank(track: Track) -> MotionBank:
    """Cut a person's motion bank from the frames that are shown.

    Args:
        track: of the person; takes without sound are used if no take has any.

    Returns:
        A bank with the blinks that the films show, maybe none.

    Raises:
        InputError: if the person is never seen for a second without a break.
    """
    parts, blinks = [], []
    heard = any(take.sound is not None for take in track.takes)
    for take, first, last in track.runs(SHORTEST_RUN):
        motion = track.motion[first:last]
        blinks += blinks_of(motion)
        if take.sound is not None or not heard:
            parts.append(_centred(unit_parts(motion, _prosody(take)[first - take.first : last - take.first])))
    if not parts:
        raise InputError(
            f"avatar: the person is never seen for {SHORTEST_RUN / FPS:g} s without a break; give films that show the face from "
            "the front for longer"
        )
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return MotionBank.from_arrays(joined | {"blinks": typical(blinks, MOST_BLINKS)})


def _centred(parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A run's part of a bank, about the person's usual pose as far as the run is short; see OWN_POSE."""
    short, long = OWN_POSE
    share = np.clip((long - len(parts["room"]) / FPS) / (long - short), 0, 1)
    return parts | {name: parts[name] - share * parts[name].mean(0) for name in ("rotation", "translation")}


def head_speed(track: Track) -> float:
    """Mean speed of the head in degrees per frame."""
    speeds = [
        (last - first, mean_speed(track.motion.rotation[first:last])) for _, first, last in track.runs(SHORTEST_RUN)
    ]
    frames = sum(count for count, _ in speeds)
    return sum(count * speed for count, speed in speeds) / max(frames, 1)


def blinks_a_minute(track: Track) -> float:
    """Of the person, or of most people if the films are too short or show too few."""
    counted = [(count_blinks(track.motion[first:last]), last - first) for _, first, last in track.runs(SHORTEST_RUN)]
    blinks, seconds = sum(count for count, _ in counted), sum(frames for _, frames in counted) / FPS
    if blinks < FEWEST_BLINKS or seconds < BLINK_SECONDS:
        return USUAL_BLINKS
    return float(np.clip(blinks / seconds * 60, *BLINK_RANGE))


def count_blinks(motion: FaceMotion) -> int:
    """Times that both lids shut."""
    shut = motion.curves(BLINK).min(1) > SHUT
    return int((shut[1:] & ~shut[:-1]).sum())


def _prosody(take: Take) -> np.ndarray:
    """(F, 3) of a take's sound, of silence without one."""
    waveform = np.zeros(0, np.float32) if take.sound is None else take.sound.waveform
    return Prosody(waveform, take.frames, FPS).features(0, take.frames)
