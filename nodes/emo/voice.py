"""The host's AUDIO and AUDIO_ENCODER_OUTPUT as EMO_AUDIO, and the trimmed sound back as AUDIO."""

from collections.abc import Mapping
from typing import Any

import torch
from comfy_execution.graph_utils import ExecutionBlocker

from ...emo_core.audio.voice import Excerpt, Voice, encode_audio, voice_from_features
from ...emo_core.errors import InputError
from ..host.audio import to_audio, to_track
from .model import EmoModel, require_encoder


def audio_to_voice(
    model: EmoModel, audio: Mapping[str, Any] | None, encoded: Mapping[str, Any] | None, excerpt: Excerpt
) -> Voice:
    """Encode AUDIO with the checkpoint's encoder, or take over the features of AUDIO_ENCODER_OUTPUT.

    Raises:
        InputError: if neither is wired, or the sound cannot be used.
        CheckpointError: if the checkpoint contains no encoder and `encoded` is None.
    """
    track = None if audio is None else to_track(audio)
    if encoded is not None:
        # The first entry is the transformer's input; the others are the outputs of its layers.
        layers = torch.stack([layer[0] for layer in encoded["encoded_audio_all_layers"][1:]], dim=1).cpu()
        return voice_from_features(layers, encoded["audio_samples"], track, model.config.audio, excerpt)
    if track is None:
        raise InputError(
            "audio: nothing is wired; wire Load Audio to `audio` (or Audio Encoder Encode to `encoded_audio`)"
        )
    return encode_audio(track, require_encoder(model).encode_sound, model.config.audio, excerpt)


def trimmed_audio(voice: Voice) -> dict[str, Any] | ExecutionBlocker:
    """The selected part of the sound as AUDIO. Without a sound, the nodes wired to it stop with a message."""
    if voice.track is None:
        return ExecutionBlocker("Load Audio Wav2Vec: wire the sound to `audio` too; `encoded_audio` contains no sound")
    return to_audio(voice.track)
