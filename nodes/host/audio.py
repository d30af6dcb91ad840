"""The host's AUDIO as a sound track, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ...emo_core.errors import InputError
from ...emo_core.media.sound import Sound, mono_16k, prepare_sound
from ...emo_core.media.sound_track import WaveTrack


def to_track(audio: Mapping[str, Any]) -> WaveTrack:
    """AUDIO {waveform (1, C, S), sample_rate} as a mono or stereo track; more channels are mixed to stereo by their places.

    Raises:
        InputError: if the waveform is empty, or a batch of several sounds.
    """
    waveform = audio["waveform"]
    if waveform.ndim != 3 or not waveform.numel():
        raise InputError(f"audio: got a waveform of shape {tuple(waveform.shape)}; expected (1, channels, samples)")
    if len(waveform) > 1:
        raise InputError(f"audio: got a batch of {len(waveform)} sounds; expected one; wire a single sound")
    return WaveTrack(waveform[0].float().cpu().numpy(), int(audio["sample_rate"])).stereo()


def heard(track: WaveTrack, gain: float = 0.0) -> Sound:
    """A track as models hear it, `gain` dB above the common speech level.

    Raises:
        InputError: if it is too short or silent.
    """
    sound = prepare_sound(mono_16k(track.waveform, track.rate))
    return Sound(sound.waveform * np.float32(10 ** (gain / 20)))


def to_audio(track: WaveTrack) -> dict[str, Any]:
    """A track as AUDIO."""
    return {"waveform": torch.from_numpy(track.waveform)[None], "sample_rate": track.rate}
