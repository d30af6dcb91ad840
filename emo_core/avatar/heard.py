"""Numbers from which a person's mouth is read: what the encoder hears, and what the content model makes of it.

Learning and speaking read them through the same windows, so a mouth meets in use exactly what it was learnt from.

Shape legend: F frames, K curves of the mouth, A numbers of the sound, C numbers of the content model.
"""

import itertools
from typing import NamedTuple

import numpy as np
import torch

from ..audio.features import FrameFeatures, frame_count
from ..emote.listening import Listening
from ..emote.prosody import Prosody
from ..emote.speak import checked_features, lazy_features
from ..emote.weights import EmoteModel
from ..emote.windows import OverlappedWindows
from ..media.sound import Sound
from .takes import FPS

REACH = 2
"""Frames on each side of which the content model's numbers are read."""


class Heard(NamedTuple):
    """Of F frames."""

    sound: np.ndarray
    """(F, A) the encoder's last layer and the log-mel spectrum, each of some neighbouring frames."""
    made: np.ndarray
    """(F, C) hidden layer, closing and curves of the content model, each of some neighbouring frames."""
    content: np.ndarray
    """(F, K) curves of the content model in 0 .. 1."""
    closing: np.ndarray
    """(F,) probability that lips meet."""


class Hearing:
    """Listens to one sound, some windows at a time."""

    def __init__(self, sound: Sound, emote: EmoteModel, features: FrameFeatures | None = None) -> None:
        """Nothing is computed yet.

        Args:
            sound: to listen to.
            emote: whose encoder and content model listen.
            features: of the sound by the same encoder at 25 frames per second; None to encode on demand.

        Raises:
            InputError: for features of another encoder.
        """
        self.frames = frame_count(sound.seconds, FPS)
        features = lazy_features(sound, emote) if features is None else checked_features(features, emote.config)
        self.listening = Listening(sound, features, emote.config)
        self.prosody = Prosody(sound.waveform, self.frames, FPS)
        self._emote = emote
        self._windows = OverlappedWindows(self._window)

    def take(self, first: int, last: int) -> Heard:
        """Frames [first, last), which lie in the sound."""
        values = self._windows.take(first, last)
        edges = np.cumsum([0, *widths(self._emote), len(self._emote.config.curves), 1])
        parts = [values[:, start:stop] for start, stop in itertools.pairwise(edges)]
        return Heard(*parts[:3], parts[3][:, 0])

    @torch.no_grad()
    def _window(self, first: int, last: int) -> np.ndarray:
        model, audio = self._emote.content, self._emote.config.audio
        low, high = max(first, 0), min(last, self.frames)
        inputs = self.listening.inputs(low, high)
        index = torch.arange(first, last).clamp(low, high - 1) - low
        inputs = inputs[index]
        made = model(inputs[None], model.style.weight[:1])
        content, closing = made.coefficients[0].clamp(0, 1), torch.sigmoid(made.closing[0])[:, None]
        near = (index + low)[:, None] + torch.arange(-REACH, REACH + 1)
        around = torch.cat([made.hidden[0], closing, content], dim=1)[near.clamp(low, high - 1) - first].flatten(1)
        heard = (2 * audio.window + 1) * audio.layers * audio.width
        encoded = inputs[:, :heard].unflatten(1, (-1, audio.layers, audio.width))[:, :, -1].flatten(1)
        return torch.cat([encoded, inputs[:, heard:], around, content, closing], dim=1).numpy()


def widths(emote: EmoteModel) -> tuple[int, int]:
    """A and C."""
    config, audio = emote.config, emote.config.audio
    sound = (2 * audio.window + 1) * audio.width + (2 * config.mel_window + 1) * config.mel_bands
    return sound, (2 * REACH + 1) * (config.width + 1 + len(config.curves))
