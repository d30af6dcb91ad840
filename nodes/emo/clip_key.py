"""The key of a clip: a digest of everything that its latents depend on, so that equal keys mean equal clips."""

from __future__ import annotations

import dataclasses
import hashlib
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...emo_core.emo.sampling.clips import Clip
from ...emo_core.emo.sampling.denoiser import Denoiser
from ...emo_core.emo.sampling.generate import Settings, Subject, clip_conditions

SAMPLER = "1"
"""Raise it when the same inputs give other latents: clips of an older sampler are not used then."""


@dataclass(frozen=True, slots=True)
class ClipKey:
    """Two digests, in hexadecimal."""

    video: str
    """The same for all clips of a video."""
    clip: str
    """Of this clip."""


def model_identity(path: Path) -> str:
    """A digest of a checkpoint's path, size and time of change, and of the version of PyTorch."""
    path = path.resolve()
    state = path.stat()
    return _digest((SAMPLER, torch.__version__, str(path), state.st_size, state.st_mtime_ns))


def clip_key(
    identity: str, denoiser: Denoiser, subject: Subject, settings: Settings, clip: Clip, motion: Tensor | None
) -> ClipKey:
    """The key of one clip. It covers the values that the network reads, not the nodes that they come from.

    So a portrait, sound or VAE that was changed in any way gives another key, and one that is read again gives the same.
    The audio features of the clip are computed if they are missing, which may load the audio encoder.

    Args:
        identity: of the model.
        denoiser: the model; its weights need not be loaded.
        subject: the video's inputs, on the device to compute on.
        settings: of the sampler.
        clip: its index counts, for the noise; where it is cut does not.
        motion: (M, C, h, w) the frames before it.
    """
    conditions = clip_conditions(denoiser, subject, clip, motion)
    video = _digest((identity, settings, subject.reference, subject.reference.device.type))
    return ClipKey(video, _digest((video, clip.index, conditions)))


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    """Feed a value with its type and size, so that no two different values feed the same bytes."""
    if isinstance(value, Tensor):
        digest.update(f"tensor {value.dtype} {tuple(value.shape)};".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _feed(digest, (type(value).__name__, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}))
    elif isinstance(value, Mapping):
        _feed(digest, [(name, value[name]) for name in sorted(value)])
    elif isinstance(value, (tuple, list)):
        digest.update(f"sequence {len(value)};".encode())
        for item in value:
            _feed(digest, item)
    elif value is None or isinstance(value, (str, numbers.Real)):
        text = repr(value).encode()
        digest.update(f"{type(value).__name__} {len(text)};".encode() + text)
    else:
        raise TypeError(
            f"a condition gave a {type(value).__name__}; expected tensors, numbers, texts, or dataclasses of them"
        )
