"""A voice becomes the motion of a face: lips and jaw from a model, head, brows, lids and gaze from real units of motion.

Shape legend: F frames, K curves.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..audio.features import AudioFeatures, EncodedFrames, FrameFeatures, frame_count
from ..curve import Curve
from ..emotion import NEUTRAL, EmotionCurve
from ..errors import InputError
from ..face.motion import FaceMotion, concatenated
from ..media.sound import Sound
from .bank import MotionBank
from .blinks import BlinkTrack
from .config import FPS, EmoteConfig
from .emotion_track import emotion_track
from .head import SpeedControl, mean_speed
from .listening import Listening
from .motion_units import STEP, UnitTrack
from .mouth import MouthTrack
from .prosody import Prosody
from .weights import EmoteModel
from .whole_face import FaceParts, whole_face

BLOCK = 20 * STEP
"""Frames that are worked on at once: 8 s."""
CHUNK_SECONDS = 8.0
"""Seconds of sound that are encoded at once."""
SPEED = Curve.constant(0.25)
"""Degrees per frame at 25 frames per second: a calm speaker."""
FASTEST = 1.5
MOST = 3.0
"""Largest amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakRequest:
    """How a face speaks. Amounts are 1 as filmed, and 0 for none."""

    fps: float = FPS
    """Of the motion."""
    seed: int = 0
    """Chooses among the many right motions of head, brows and lids."""
    speed: Curve = SPEED
    """Mean speed of the head in degrees per frame of 1/25 s; 0 is a still head."""
    mouth: float = 1.0
    head: float = 1.0
    """Of the head's motion after its speed is set."""
    brows: float = 1.0
    blinks: float = 1.0
    """Their rate over the usual one, about fifteen a minute."""
    gaze: float = 1.0
    smoothing: float = 0.0
    """Of the mouth: standard deviation of a Gaussian in frames of 1/25 s."""
    style: str = ""
    """A way of speaking that the model knows; empty for its default."""
    emotion: EmotionCurve = NEUTRAL
    """What the face shows while it speaks."""
    emotion_style: int = 0
    """Whose way of showing emotions: 0 is the average person's, each other number is another person's."""

    def __post_init__(self) -> None:
        """Raise InputError for values that no face follows."""
        if not 1 <= self.fps <= 120:
            raise InputError(f"fps: got {self.fps:g}; expected 1 .. 120")
        if self.seed < 0:
            raise InputError(f"seed: got {self.seed}; expected 0 or more")
        for name in ("mouth", "head", "brows", "blinks", "gaze"):
            if not 0 <= getattr(self, name) <= MOST:
                raise InputError(f"{name}: got {getattr(self, name):g}; expected 0 .. {MOST:g} (1 is as filmed)")
        if self.emotion_style < 0:
            raise InputError(f"emotion style: got {self.emotion_style}; expected 0 (the average) or more")
        if not 0 <= self.smoothing <= 10:
            raise InputError(f"smoothing: got {self.smoothing:g}; expected 0 .. 10 frames")
        if wrong := [value for value in self.speed.values if not 0 <= value <= FASTEST]:
            raise InputError(f"speed: got {wrong[0]:g}; expected 0 .. {FASTEST:g} degrees per frame")


def speak(
    sound: Sound, model: EmoteModel, request: SpeakRequest, *, features: FrameFeatures | None = None
) -> FaceMotion:
    """Make a face say a sound.

    Args:
        sound: see `media.sound.load_sound`.
        model: see `weights.load_emote`.
        request: how.
        features: of the sound at 25 frames per second, of `encode` or another encoder; None to encode while the motion is made.

    Returns:
        A motion as long as the sound, at the frame rate of the request. The same seed gives the same motion.

    Raises:
        InputError: for a style that the model does not know, or features of another size.
    """
    return concatenated(list(speak_blocks(sound, model, request, features=features)))


def speak_blocks(
    sound: Sound,
    model: EmoteModel,
    request: SpeakRequest,
    *,
    features: FrameFeatures | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Iterator[FaceMotion]:
    """As `speak`, some seconds at a time, so that the first frames come soon and memory stays flat.

    Args:
        sound: see `speak`.
        model: see `speak`.
        request: see `speak`.
        features: see `speak`.
        progress: gets the finished share, 0 .. 1; it may raise `errors.Cancelled`.

    Yields:
        Parts of the motion in order.
    """
    speaker = _Speaker(sound, model, request, features)
    waiting: list[FaceMotion] = []
    given = 0
    total = frame_count(sound.seconds, request.fps)
    for first in range(0, speaker.frames, BLOCK):
        last = min(first + BLOCK, speaker.frames)
        waiting.append(speaker.block(first, last))
        part, waiting, given = _released(waiting, last, given, total, request.fps, done=last == speaker.frames)
        if part is not None:
            yield part
        progress(last / speaker.frames)


def _released(
    waiting: list[FaceMotion], last: int, given: int, total: int, fps: float, *, done: bool
) -> tuple[FaceMotion | None, list[FaceMotion], int]:
    """Resample all frames whose neighbours are known: the part, the blocks that are still needed, and frames given so far."""
    if fps == FPS:
        return waiting[-1], [], last
    joined = concatenated(waiting)
    first = last - len(joined)
    ready = total if done else min(total, int((last - 0.5) / FPS * fps - 0.5))
    if ready <= given:
        return None, [joined], given
    place = (np.arange(given, ready) + 0.5) * FPS / fps - 0.5 - first
    frames = np.arange(len(joined))
    parts = (
        np.stack([np.interp(place, frames, column) for column in values.T], axis=1).astype(np.float32)
        for values in (joined.coefficients, joined.rotation, joined.translation)
    )
    coefficients, rotation, translation = parts
    part = FaceMotion(coefficients=coefficients, rotation=rotation, translation=translation, fps=fps)
    return part, [joined[-4:]], ready


class _Speaker:
    """All tracks of one sound at the model's frame rate."""

    def __init__(self, sound: Sound, model: EmoteModel, request: SpeakRequest, features: FrameFeatures | None) -> None:
        self._request, self._curves = request, model.config.curves
        self.frames = frame_count(sound.seconds, FPS)
        prosody = Prosody(sound.waveform, self.frames, FPS)
        features = lazy_features(sound, model) if features is None else checked_features(features, model.config)
        listening = Listening(sound, features, model.config)
        self._mouth = MouthTrack(
            model.content,
            listening,
            prosody,
            model.rig,
            curves=model.config.curves,
            style=_style(request.style, model.config),
            amount=request.mouth,
            smoothing=request.smoothing,
        )
        self._emotion = emotion_track(
            model, listening, self._mouth, prosody, emotion=request.emotion, style=request.emotion_style
        )
        units, blinks = np.random.SeedSequence(request.seed).spawn(2)
        bank: MotionBank = model.bank
        self._units = UnitTrack(bank, prosody, np.random.default_rng(units))
        self._speed = SpeedControl(mean_speed(bank.rotation))
        self._blinks = BlinkTrack(
            bank.blinks, prosody.pause, np.random.default_rng(blinks), rate=request.blinks, fps=FPS
        )

    def block(self, first: int, last: int) -> FaceMotion:
        """Frames [first, last) of a block that begins at a multiple of BLOCK."""
        request, count = self._request, last - first
        motion = self._units.take(-(-count // STEP))
        speed = request.speed.at_frames(count, FPS, first=first)
        rotation, translation = self._speed.scaled(motion.rotation[:count], motion.translation[:count], speed)
        parts = FaceParts(
            mouth=dict(zip(self._curves, self._mouth.take(first, last).T, strict=True)),
            brows=motion.curves[:count] * request.brows,
            lids=self._blinks.take(first, last),
            felt=None if self._emotion is None else self._emotion.take(first, last),
            rotation=rotation * request.head,
            translation=translation * request.head,
            gaze=motion.gaze[:count],
        )
        return whole_face(parts, gaze=request.gaze)


def encode(sound: Sound, model: EmoteModel) -> FrameFeatures:
    """All features of a sound, for several motions of it: 3 kB a frame stay in memory."""
    features = lazy_features(sound, model)
    return EncodedFrames(features.frame_features(0, features.frames), model.config.audio.window)


def lazy_features(sound: Sound, model: EmoteModel) -> AudioFeatures:
    """Features at the model's frame rate, encoded on demand."""
    window = model.config.audio.window
    return AudioFeatures(sound, model.encoder, fps=FPS, window=window, chunk_seconds=CHUNK_SECONDS)


def checked_features(features: FrameFeatures, config: EmoteConfig) -> FrameFeatures:
    """The features.

    Raises:
        InputError: if another encoder made them.
    """
    layers, width = features.windows(0, 1).shape[2:]
    if (layers, width) != (config.audio.layers, config.audio.width):
        raise InputError(
            f"encoded audio: got {layers} layers of width {width}; this model was trained with {config.audio.layers} of width "
            f"{config.audio.width}; use its own encoder"
        )
    return features


def _style(name: str, config: EmoteConfig) -> int:
    if not name:
        return 0
    if name not in config.styles:
        raise InputError(f"style: got {name!r}; this model knows {', '.join(config.styles)}")
    return config.styles.index(name)
