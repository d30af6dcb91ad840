"""The last layer of the sound encoder at every frame of a track: what the mouth's network hears of phones.

Shape legend: N frames of the track, F of a take.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ..audio.features import AudioFeatures
from ..media.sound import Sound
from .takes import FPS
from .track import Track
from .unet import SOUND


def sound_codes(track: Track, encoder: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Encode the sound of all takes; `encoder` is an `AudioEncoder`. Gives (N, 128) float16, zeros in takes without sound."""
    parts = [
        np.zeros((take.frames, SOUND), np.float16)
        if take.sound is None
        else codes_of(take.sound, encoder)[: take.frames]
        for take in track.takes
    ]
    return np.concatenate(parts)


def codes_of(sound: Sound, encoder: Callable[[Tensor], Tensor]) -> np.ndarray:
    """(F, 128) float16 of one sound."""
    features = AudioFeatures(sound, encoder, fps=FPS, window=0)
    return codes_at(features, 0, features.frames)


def codes_at(features: AudioFeatures, first: int, last: int) -> np.ndarray:
    """(F, 128) float16 of frames [first, last)."""
    return features.frame_features(first, last)[:, -1].cpu().numpy().astype(np.float16)
