"""An avatar says a sound, or wears a face motion: frames, some at a time.

Shape legend: F frames of a block at 25 fps, S side of the square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from ..audio.features import AudioFeatures, frame_count
from ..curve import Curve
from ..device import one_thread
from ..emote.speak import lazy_features
from ..emote.weights import EmoteModel
from ..emotion import NEUTRAL, EmotionCurve
from ..errors import InputError
from ..face.motion import FaceMotion
from ..face.motion_adjust import Adjustment, adjusted
from ..media.sound import Sound
from .avatar_file import Avatar
from .background import Background, behind
from .base_frames import BaseFrames, MovedFrames, ReplayedFrames
from .edges import edges_picture
from .patches import place_points
from .renderer import MouthRenderer
from .sound_codes import codes_at
from .spoken import PersonRequest, speak_person
from .takes import FPS

Head = Literal["replay", "generated", "still"]
BLOCK = 25
"""Frames that are drawn at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakOptions:
    """How an avatar speaks. Amounts are 1 as filmed, and 0 for none."""

    head: Head = "replay"
    """replay: the film's own frames, forward and back; generated: the person's own movements, chosen by the sound; still."""
    background: Background = field(default_factory=Background)
    seed: int = 0
    mouth: float = 1.0
    amount: float = 1.0
    """Of the head's motion, if it is generated."""
    brows: float = 1.0
    blinks: float = 1.0
    """Their rate over the person's own."""
    enhance: float = 0.0
    """0 .. 1 of fine structure that is taken from the person's real mouths."""
    emotion: EmotionCurve = NEUTRAL
    emotion_style: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for an unknown way of moving the head."""
        if self.head not in get_args(Head):
            raise InputError(f"head: got {self.head!r}; expected {', '.join(get_args(Head))}")
        if not 0 <= self.enhance <= 1:
            raise InputError(f"enhance: got {self.enhance:g}; expected 0 .. 1")

    def adjustment(self) -> Adjustment:
        """The amounts, for a motion that is there; its blinks get weaker, not rarer."""
        amounts = {"mouth": self.mouth, "brows": self.brows, "blinks": self.blinks}
        amounts["head"] = 0.0 if self.head == "still" else self.amount
        return Adjustment(**{name: Curve.constant(amount) for name, amount in amounts.items()})

    def request(self) -> PersonRequest:
        """What the motion needs of it; limits are checked there."""
        return PersonRequest(
            seed=self.seed,
            head="still" if self.head == "still" else "generated",
            mouth_amount=self.mouth,
            head_amount=self.amount,
            brows_amount=self.brows,
            blinks_amount=self.blinks,
            emotion=self.emotion,
            emotion_style=self.emotion_style,
        )


@dataclass(frozen=True, slots=True)
class Performance:
    """Frames that are made while they are read."""

    frames: int
    blocks: Iterable[np.ndarray]
    """Each (F, S, S, 3) uint8; (F, S, S, 4) with a transparent background."""


def marks_of(avatar: Avatar, options: SpeakOptions) -> dict[str, Any]:
    """The settings that the metadata of a video keep."""
    return {
        "model": "avatar",
        "avatar": avatar.about.name,
        "consent": avatar.about.consent,
        "head": options.head,
        "seed": options.seed,
        "emotion": str(options.emotion),
    }


def speak_sound(
    avatar: Avatar,
    sound: Sound,
    emote: EmoteModel,
    options: SpeakOptions,
    *,
    edges: Callable[[np.ndarray], None] | None = None,
    progress: Callable[[int, int], None] = lambda frame, frames: None,
) -> Performance:
    """Say a sound.

    Args:
        avatar: who speaks.
        sound: see `media.sound.load_sound`.
        emote: the model that the avatar was trained with.
        options: how.
        edges: gets the drawing that conditions the network, (F, S, S, 3) uint8 of each block; None draws none.
        progress: gets the finished frame and the number of frames; it may raise `errors.Cancelled`.

    Raises:
        InputError: for a background that the avatar does not know.
    """
    features = lazy_features(sound, emote)
    motions = speak_person(sound, emote, avatar.person, options.request(), features=features)
    frames = frame_count(sound.seconds, FPS)
    return _performance(avatar, motions, frames, emote, options, features, edges, progress)


def speak_motion(
    avatar: Avatar,
    motion: FaceMotion,
    emote: EmoteModel,
    options: SpeakOptions,
    *,
    edges: Callable[[np.ndarray], None] | None = None,
    progress: Callable[[int, int], None] = lambda frame, frames: None,
) -> Performance:
    """Wear a motion that something else made, such as Speech to Face Motion with an emotion; see `speak_sound`.

    With the head replayed, the motion gives the mouth; with a still head, all but the head's motion; otherwise all.
    """
    motion = adjusted(motion.resampled(FPS), options.adjustment())
    return _performance(avatar, [motion], len(motion), emote, options, None, edges, progress)


def _performance(
    avatar: Avatar,
    motions: Iterable[FaceMotion],
    frames: int,
    emote: EmoteModel,
    options: SpeakOptions,
    features: AudioFeatures | None,
    edges: Callable[[np.ndarray], None] | None,
    progress: Callable[[int, int], None],
) -> Performance:
    if options.background.replaced and avatar.stage.masks is None:
        raise InputError(
            f"background: the avatar {avatar.about.name} does not know its background from the person; MediaPipe 0.10.21 was not "
            "there when it was trained; use the background `own`, or train it again with MediaPipe"
        )
    base = _base_frames(avatar, emote, options)
    known = avatar.renderer
    renderer = MouthRenderer(known.net, known.gallery, emote.rig, known.neutral)
    return Performance(frames, _blocks(motions, frames, base, renderer, options, features, edges, progress))


def _base_frames(avatar: Avatar, emote: EmoteModel, options: SpeakOptions) -> BaseFrames:
    masks = options.background.replaced
    if options.head == "replay":
        return ReplayedFrames(avatar.stage, start=options.seed * 7 % avatar.stage.replayed, masks=masks)
    return MovedFrames(avatar.stage, emote.rig, masks=masks)


def _blocks(
    motions: Iterable[FaceMotion],
    frames: int,
    base: BaseFrames,
    renderer: MouthRenderer,
    options: SpeakOptions,
    features: AudioFeatures | None,
    edges: Callable[[np.ndarray], None] | None,
    progress: Callable[[int, int], None],
) -> Iterator[np.ndarray]:
    done = 0
    for motion in motions:
        for first in range(0, len(motion), BLOCK):
            part = motion[first : first + BLOCK]
            codes = None if features is None else codes_at(features, done, done + len(part))
            with one_thread():
                under = base.take(part)
                drawn = renderer.draw(
                    under.pictures, under.landmarks, under.motion, part, codes, detail=options.enhance
                )
                if edges is not None:
                    points = place_points(under.landmarks, under.motion, part, renderer.neutral, renderer.rig)
                    edges(edges_picture(points, drawn.shape[1]))
                if under.masks is not None:
                    drawn = behind(drawn, under.masks, options.background)
            done += len(part)
            yield drawn
            progress(done, frames)
