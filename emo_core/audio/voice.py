"""The audio of one video: features for every frame, and the sound track."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..media.sound import SAMPLE_RATE, mono_16k, prepare_sound
from ..media.sound_track import WaveTrack
from .config import AudioFeaturesConfig
from .features import HOP, AudioFeatures, EncodedFeatures, FrameFeatures

MAX_FPS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """The sound of one video."""

    features: FrameFeatures
    fps: float
    """Video frames per second."""
    config: AudioFeaturesConfig
    """Of the model that the features are for."""
    track: WaveTrack | None
    """Sound track at its own rate and loudness; None if only features are given: the video is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The part of a sound to animate, and its level for the model."""

    fps: float
    start: float = 0.0
    """Seconds."""
    seconds: float | None = None
    """None for the rest of the sound."""
    loudness: float = 0.0
    """Level in dB over normal speech."""

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= MAX_FPS:
            raise InputError(f"fps: got {self.fps:g}; expected 1 .. {MAX_FPS:g} (the model's own is best)")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"duration: got {self.seconds:g} s; expected more than 0")


def encode_audio(
    track: WaveTrack, encode: Callable[[Tensor], Tensor], config: AudioFeaturesConfig, excerpt: Excerpt
) -> Voice:
    """Encode a sound with a model's own audio encoder, in chunks on demand.

    Args:
        track: any rate, one or two channels.
        encode: samples (1, S) at 16 kHz to features (1, T, L, D).
        config: the model's.
        excerpt: part of it.

    Raises:
        InputError: if that part is missing, silent, too short or broken.
    """
    part = track.part(excerpt.start, excerpt.seconds)
    sound = prepare_sound(_part_16k(track, excerpt.start, excerpt.seconds))
    sound = replace(sound, waveform=sound.waveform * np.float32(10 ** (excerpt.loudness / 20)))
    features = AudioFeatures(sound, encode, fps=excerpt.fps, window=config.window)
    return Voice(features=features, fps=excerpt.fps, config=config, track=part)


def _part_16k(track: WaveTrack, start: float, seconds: float | None) -> np.ndarray:
    """A part of a track as (S,) at 16 kHz, with the same samples as a cut of the whole resampled track.

    Only the part and its surroundings are resampled: from a whole second on, at which both rates have a sample, and with a second
    on each side, so that the filter does not ring at the cut.
    """
    before = max(0, math.floor(start) - 1)
    around = track.part(before, None if seconds is None else math.ceil(start + seconds) + 1 - before)
    first = round((start - before) * SAMPLE_RATE)
    last = None if seconds is None else first + round(seconds * SAMPLE_RATE)
    return mono_16k(around.waveform, track.rate)[first:last]


def voice_from_features(
    features: Tensor, samples: int, track: WaveTrack | None, config: AudioFeaturesConfig, excerpt: Excerpt
) -> Voice:
    """Use features of another encoder.

    Args:
        features: (T, L, D) at 50 Hz, the outputs of all its layers.
        samples: number of samples at 16 kHz they were made from.
        track: the sound for the video, if any.
        config: the model's.
        excerpt: part of it; its loudness has no effect.

    Raises:
        InputError: if the features have another size than the model was trained with, or `start` lies behind the end.
    """
    layers, width = features.shape[1:]
    if (layers, width) != (config.layers, config.width):
        raise InputError(
            f"encoded audio: got {layers} layers of width {width}; this model was trained with {config.layers} of width "
            f"{config.width}; load that wav2vec2"
        )
    length = samples / SAMPLE_RATE
    if not 0 <= excerpt.start < length:
        raise InputError(f"start: got {excerpt.start:g} s; the sound lasts {length:.2f} s; give a start before its end")
    seconds = min(length - excerpt.start, excerpt.seconds or length)
    # wav2vec gives no feature for the last 25 ms of a sound.
    first = min(round(excerpt.start * SAMPLE_RATE / HOP), len(features) - 1)
    windows = EncodedFeatures(features[first:], seconds=seconds, fps=excerpt.fps, window=config.window)
    return Voice(features=windows, fps=excerpt.fps, config=config, track=track and track.part(excerpt.start, seconds))
