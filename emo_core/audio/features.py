"""wav2vec features at the video's frame rate, computed in chunks on demand.

Shape legend: F frames, W = 2m + 1 frames in a window, L wav2vec layers, D their width.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ..media.sound import SAMPLE_RATE, Sound
from .config import FIELD, HOP

CHUNK_SECONDS = 16.0
"""Length of the chunks that are encoded at once, in seconds."""
CONTEXT_SECONDS = 4.0
"""Seconds of sound before and after a chunk that are encoded with it, so that features at its borders have context."""
CHUNKS_KEPT = 2
"""Chunks in memory: a window may reach over one border."""


def frame_count(seconds: float, fps: float) -> int:
    """Frames of a video that lasts as long as its sound: round(seconds * fps), at least one."""
    return max(1, round(seconds * fps))


class FrameFeatures(Protocol):
    """Audio features of a whole video, by frame."""

    frames: int
    """Frames of the video."""

    def windows(self, start: int, stop: int) -> Tensor:
        """A_gen(f) for f in [start, stop), which may reach past the end: (F, W, L, D) float32."""
        ...


class EncodedFrames:
    """Windows of features (F, L, D) that are all in memory."""

    def __init__(self, features: Tensor, window: int) -> None:
        self.frames = len(features)
        self._features, self._window = features, window

    def windows(self, start: int, stop: int) -> Tensor:
        """See `FrameFeatures`."""
        return self._features[window_indices(start, stop, self._window, self.frames)]


class EncodedFeatures(EncodedFrames):
    """Those of another encoder."""

    def __init__(self, features: Tensor, *, seconds: float, fps: float, window: int) -> None:
        """Take features (T, L, D) at 50 Hz of a sound of `seconds`."""
        super().__init__(at_frames(features.float(), 0, frame_count(seconds, fps), fps), window)


class AudioFeatures:
    """All windows of one sound, computed lazily in overlapping chunks.

    A sound of up to one chunk is encoded in a single pass. Of longer ones, only a few chunks are in memory.
    """

    def __init__(
        self,
        sound: Sound,
        encoder: Callable[[Tensor], Tensor],
        *,
        fps: float,
        window: int,
        chunk_seconds: float = CHUNK_SECONDS,
    ) -> None:
        """`encoder` turns samples (1, S) into features (1, T, L, D), as `AudioEncoder` does."""
        self.frames = frame_count(sound.seconds, fps)
        self._sound = sound
        self._encoder = encoder
        self._fps = fps
        self._window = window
        self._per_chunk = max(1, round(chunk_seconds * fps))
        self._chunks: OrderedDict[int, Tensor] = OrderedDict()

    def windows(self, start: int, stop: int) -> Tensor:
        """A_gen(f) = {A(f-m) .. A(f+m)} for f in [start, stop); indices are clamped to the sound's ends.

        Returns:
            (F, W, L, D) float32 on the encoder's device.
        """
        indices = window_indices(start, stop, self._window, self.frames)
        low, high = int(indices.min()), int(indices.max())
        return self.frame_features(low, high + 1)[indices - low]

    def frame_features(self, start: int, stop: int) -> Tensor:
        """A(f) for f in [start, stop): (F, L, D)."""
        parts = []
        for index in range(start // self._per_chunk, (stop - 1) // self._per_chunk + 1):
            first = index * self._per_chunk
            parts.append(self._chunk(index)[max(start - first, 0) : stop - first])
        return torch.cat(parts)

    def _chunk(self, index: int) -> Tensor:
        if index not in self._chunks:
            while len(self._chunks) >= CHUNKS_KEPT:
                self._chunks.popitem(last=False)
            first = index * self._per_chunk
            self._chunks[index] = self._encode(first, min(first + self._per_chunk, self.frames))
        self._chunks.move_to_end(index)
        return self._chunks[index]

    @torch.no_grad()
    def _encode(self, first: int, last: int) -> Tensor:
        """Encode frames [first, last) with context on both sides, and resample 50 Hz to the frame rate."""
        context = CONTEXT_SECONDS * SAMPLE_RATE
        total = len(self._sound.waveform)
        begin = max(0, int(first / self._fps * SAMPLE_RATE - context)) // HOP * HOP
        end = total if last == self.frames else min(total, int(last / self._fps * SAMPLE_RATE + context))
        samples = torch.from_numpy(self._sound.waveform[begin:end])
        samples = torch.nn.functional.pad(samples, (0, max(0, FIELD - len(samples))))
        features = self._encoder(samples[None])[0].float()
        return at_frames(features, first, last, self._fps, begin // HOP)


def window_indices(start: int, stop: int, m: int, frames: int) -> Tensor:
    """Frames f-m .. f+m for f in [start, stop), clamped to the sound's: (F, 2m + 1)."""
    return (torch.arange(start, stop)[:, None] + torch.arange(-m, m + 1)).clamp(0, frames - 1)


def at_frames(features: Tensor, first: int, last: int, fps: float, offset: int = 0) -> Tensor:
    """Interpolate features (T, L, D) at the middle of each video frame.

    Feature j is centred on sample 320 j + 200, frame k on second (k + 1/2) / fps.

    Args:
        features: (T, L, D) at 50 Hz.
        first: first frame.
        last: frame after the last.
        fps: video frames per second.
        offset: index of the first feature in the whole sound.
    """
    middle = (torch.arange(first, last, dtype=torch.float64) + 0.5) / fps
    place = (middle * SAMPLE_RATE - FIELD / 2) / HOP - offset
    place = place.clamp(0, len(features) - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=len(features) - 1)
    share = (place - low).to(features.dtype)[:, None, None]
    low, high, share = (part.to(features.device) for part in (low, high, share))  # Apple's GPUs have no float64.
    return features[low] * (1 - share) + features[high] * share
