"""The host's AUDIO and AUDIO_ENCODER_OUTPUT as the core takes them."""

from collections.abc import Mapping
from typing import Any

import torch
from comfy_execution.graph_utils import ExecutionBlocker
from einops import rearrange

from ...emo_core.audio.voice import Excerpt, Voice, encode_audio, voice_from_features
from ...emo_core.errors import InputError
from ...emo_core.media.sound_track import WaveTrack
from .model import EmoModel, needs_encoder


def hear(
    model: EmoModel, audio: Mapping[str, Any] | None, encoded: Mapping[str, Any] | None, excerpt: Excerpt
) -> Voice:
    """Listen with the checkpoint's encoder, or take what the host's has heard.

    Raises:
        InputError, CheckpointError: where there is nothing to hear, or no encoder.
    """
    track = None if audio is None else to_track(audio)
    if encoded is not None:
        # Its first entry is what goes into the transformer; the rest are the layers' outputs.
        layers = torch.stack([layer[0] for layer in encoded["encoded_audio_all_layers"][1:]], dim=1).cpu()
        return voice_from_features(layers, encoded["audio_samples"], track, model.config.audio, excerpt)
    if track is None:
        raise InputError(
            "audio: nothing is wired; wire Load Audio to `audio` (or Audio Encoder Encode to `encoded_audio`)"
        )
    return encode_audio(track, needs_encoder(model).encode_sound, model.config.audio, excerpt)


def spoken(voice: Voice) -> dict[str, Any] | ExecutionBlocker:
    """The part of the sound that is used, as AUDIO."""
    if voice.track is None:
        return ExecutionBlocker("Load Audio Wav2Vec: wire the sound to `audio` too, to use it behind this node")
    return {"waveform": torch.from_numpy(voice.track.waveform)[None], "sample_rate": voice.track.rate}


def to_track(audio: Mapping[str, Any]) -> WaveTrack:
    """AUDIO {waveform (B, C, S), sample_rate} as mono or stereo; of a batch, its only sound.

    Raises:
        InputError: where it is empty, or a batch of several sounds.
    """
    waveform = audio["waveform"]
    if waveform.ndim != 3 or not waveform.numel():
        raise InputError(f"audio: got a waveform of shape {tuple(waveform.shape)}; expected (1, channels, samples)")
    if len(waveform) > 1:
        raise InputError(f"audio: got a batch of {len(waveform)} sounds; give one (one video has one voice)")
    sound = waveform[0].float().cpu()
    if len(sound) > 2:
        sound = rearrange(sound.mean(0), "s -> 1 s")
    return WaveTrack(sound.numpy(), int(audio["sample_rate"]))
