"""Any sound file, or a video's sound track, as loudness-normalised 16 kHz mono."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..files import existing_file
from .sound_track import WaveTrack

SAMPLE_RATE = 16_000
"""Hz, the rate of wav2vec2's input."""
SILENCE = 10 ** (-60 / 20)
"""Peak amplitude below which a sound counts as silent (-60 dBFS)."""
BLOCK = SAMPLE_RATE * 2 // 5
"""Samples in a loudness block: 400 ms, as in ITU-R BS.1770."""
GATE = 10 ** (-10 / 20)
"""Blocks quieter than this fraction of the mean level are pauses (-10 LU, as in BS.1770)."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded sound."""

    waveform: np.ndarray
    """(S,) float32 at 16 kHz, speech at unit RMS."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.waveform) / SAMPLE_RATE


def load_sound(path: Path, *, max_seconds: float | None = None) -> Sound:
    """Decode a sound file or the first sound track of a video.

    Args:
        path: WAV, FLAC, OGG, MP3, M4A, MP4 or any other format that FFmpeg reads; any rate, any channels.
        max_seconds: length that is read at most.

    Raises:
        InputError: if the file is missing, is no sound, is empty or silent.
    """
    path = existing_file(path, "audio", "a WAV, FLAC, OGG, MP3, M4A or a video with sound")
    try:
        waveform = decode_sound(path, max_seconds)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InputError(
            f"audio: {path} cannot be decoded as sound ({error}); give a WAV, FLAC, OGG, MP3, M4A or a video with sound"
        ) from error
    return prepare_sound(waveform, str(path))


def prepare_sound(waveform: np.ndarray, name: str = "the sound") -> Sound:
    """Check and normalise a decoded 16 kHz mono waveform (S,).

    Raises:
        InputError: if it is empty, silent or not finite.
    """
    if len(waveform) < SAMPLE_RATE // 10:
        raise InputError(f"audio: {name} lasts {len(waveform) / SAMPLE_RATE:.3f} s; give at least 0.1 s of sound")
    if not np.isfinite(waveform).all():
        raise InputError(f"audio: {name} has NaN or infinite samples; export it again")
    peak = float(np.abs(waveform).max())
    if peak < SILENCE:
        raise InputError(
            f"audio: {name} is silent (peak {20 * np.log10(max(peak, 1e-9)):.0f} dBFS); give a sound with speech or singing"
        )
    return Sound((waveform / speech_level(waveform)).astype(np.float32))


def speech_level(waveform: np.ndarray) -> float:
    """RMS of the blocks that are not pauses, so that long pauses do not lower the level."""
    blocks = np.array([np.mean(part**2) for part in np.array_split(waveform, max(1, len(waveform) // BLOCK))])
    loud = blocks[blocks > blocks.mean() * GATE**2]
    return float(np.sqrt(loud.mean()))


def mono_16k(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Mix and resample a decoded waveform (channels, S) float32 at `rate` Hz to (S',) at 16 kHz.

    The waveform is resampled in blocks: FFmpeg refuses frames of 2 GiB, 93 minutes of stereo at 48 kHz.
    """
    if len(waveform) > 2:
        waveform = waveform.mean(0, keepdims=True)
    resampler = _mono_resampler()
    blocks = itertools.chain(WaveTrack(waveform, rate).frames(), [None])
    parts = [part.to_ndarray()[0] for block in blocks for part in resampler.resample(block)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _mono_resampler() -> av.AudioResampler:
    return av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)


def decode_sound(path: Path, max_seconds: float | None = None) -> np.ndarray:
    """Decode the first sound track as (S,) float32 at 16 kHz, mono, at its own level.

    Raises:
        ValueError, IndexError, av.FFmpegError: if there is no sound that can be decoded.
    """
    limit = None if max_seconds is None else round(max_seconds * SAMPLE_RATE)
    parts, count = [], 0
    with contextlib.closing(sound_blocks(path)) as blocks:
        for block in blocks:
            parts.append(block)
            count += len(block)
            if limit is not None and count >= limit:
                break
    waveform = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return waveform if limit is None else waveform[:limit]


def sound_blocks(path: Path) -> Iterator[np.ndarray]:
    """Decode the first sound track in blocks (S,) float32 at 16 kHz, mono, at its own level.

    Raises:
        ValueError, IndexError, av.FFmpegError: if there is no sound that can be decoded.
    """
    resampler = _mono_resampler()
    with av.open(str(Path(path).absolute())) as container:  # A colon in a relative name would be a protocol.
        if not container.streams.audio:
            raise ValueError("it has no sound track")
        for frame in itertools.chain(container.decode(audio=0), [None]):
            if frame is not None:
                frame.pts = None  # Gaps in the timestamps of live recordings are not gaps in the sound.
            yield from (part.to_ndarray()[0] for part in resampler.resample(frame))
