"""Any sound file, or a video's sound track, as loudness-normalised 16 kHz mono."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..files import existing_file
from .mono import mono_blocks
from .sound_frames import SILENCE, Report, audible_tracks, choose_track, resampled, sound_frames
from .sound_track import WaveTrack

_LOG = logging.getLogger(__name__)
EXPECTED = "a WAV, FLAC, OGG, MP3, M4A or a video with sound"
SPEAK = "give a sound with speech or singing"

SAMPLE_RATE = 16_000
"""Hz, the rate of wav2vec2's input."""
LOWEST = 68.0
"""Hz. Speech and song have hardly anything below; mains hum, rumble and offsets have."""
RUMBLE = 10 ** (-15 / 20)
"""Level of all that lies below `LOWEST` over that of the speech, at most: the median of the GRID corpus."""
FILTER_TAPS = 4001
"""Length of the filter: a quarter of a second, so that 60 Hz are out and 75 Hz are in."""
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
    """Decode a sound file, or the sound of a video. Damaged places become silence, with a warning.

    Args:
        path: WAV, FLAC, OGG, MP3, M4A, MP4 or any other format that FFmpeg reads; any rate, any channels.
        max_seconds: length that is read at most.

    Raises:
        InputError: if the file is missing, is no sound, is empty or silent.
    """
    path = existing_file(path, "audio", EXPECTED)
    try:
        waveform = decode_sound(path, max_seconds, lambda place: _LOG.warning("audio: %s: %s", path, place))
    except (av.FFmpegError, ValueError) as error:
        raise InputError(f"audio: {path} cannot be decoded as sound ({error}); give {EXPECTED}") from error
    return prepare_sound(waveform, str(path), lambda: _other_tracks(path))


def _other_tracks(path: Path) -> str:
    """Advice for a file whose chosen track is silent."""
    others = " and ".join(str(track + 1) for track in audible_tracks(path))
    if not others:
        return SPEAK
    return (
        f"its sound track {choose_track(path) + 1} is used, but {others} can be heard; give a file with that track only"
    )


def prepare_sound(waveform: np.ndarray, name: str = "the sound", advice: Callable[[], str] = lambda: SPEAK) -> Sound:
    """Check, clean and normalise a decoded 16 kHz mono waveform (S,).

    Args:
        waveform: at its own level.
        name: for messages.
        advice: returns the last part of the message for a silent one.

    Raises:
        InputError: if it is empty, silent or not finite.
    """
    if len(waveform) < SAMPLE_RATE // 10:
        raise InputError(f"audio: {name} lasts {len(waveform) / SAMPLE_RATE:.3f} s; give at least 0.1 s of sound")
    if not np.isfinite(waveform).all():
        raise InputError(f"audio: {name} has NaN or infinite samples; export it again")
    voice = without_hum(waveform)
    peak = float(np.abs(voice).max())
    if peak < SILENCE:
        raise InputError(f"audio: {name} is silent (peak {20 * np.log10(max(peak, 1e-9)):.0f} dBFS); {advice()}")
    return Sound((voice / speech_level(voice)).astype(np.float32))


def without_hum(waveform: np.ndarray) -> np.ndarray:
    """Remove the mean, and reduce what lies below speech (offset, rumble, mains hum) to `RUMBLE`. (S,) to (S,), without delay.

    It is not removed wholly: audio encoders know the faint rumble of rooms, and follow speech worse without it.
    """
    from scipy.signal import firwin, oaconvolve  # A third of a second to import.

    taps = firwin(FILTER_TAPS, LOWEST, fs=SAMPLE_RATE).astype(np.float32)
    centred = (waveform - waveform.mean(dtype=np.float64)).astype(np.float32)
    low = oaconvolve(centred, taps, mode="same").astype(np.float32, copy=False)
    voice = centred - low
    loudness = float(np.sqrt(np.mean(low**2)))
    return voice + low * min(1.0, RUMBLE * speech_level(voice) / max(loudness, 1e-9))


def speech_level(waveform: np.ndarray) -> float:
    """RMS of the blocks that are not pauses, so that long pauses do not lower the level."""
    blocks = np.array([np.mean(part**2) for part in np.array_split(waveform, max(1, len(waveform) // BLOCK))])
    loud = blocks[blocks > blocks.mean() * GATE**2]
    return float(np.sqrt(loud.mean())) if len(loud) else 0.0


def mono_16k(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Mix and resample a decoded waveform (channels, S) float32 at `rate` Hz to (S',) at 16 kHz.

    The waveform is resampled in blocks: FFmpeg refuses frames of 2 GiB, 93 minutes of stereo at 48 kHz.
    """
    return _joined(_mono(WaveTrack(waveform, rate).frames()))


def decode_sound(path: Path, max_seconds: float | None = None, report: Report | None = None) -> np.ndarray:
    """Decode the chosen sound track (see `choose_track`) as (S,) float32 at 16 kHz, mono, at its own level.

    Args:
        path: any container.
        max_seconds: length that is read at most.
        report: called once for each place that cannot be decoded; it becomes silence.

    Raises:
        ValueError, av.FFmpegError: if there is no sound that can be decoded.
    """
    limit = None if max_seconds is None else round(max_seconds * SAMPLE_RATE)
    parts, count = [], 0
    with contextlib.closing(_mono(sound_frames(path, choose_track(path), report=report))) as blocks:
        for block in blocks:
            parts.append(block)
            count += len(block)
            if limit is not None and count >= limit:
                break
    return _joined(parts)[:limit]


def sound_blocks(path: Path, track: int) -> Iterator[np.ndarray]:
    """Decode a sound track in blocks (S,) float32 at 16 kHz, mono, at its own level, by the clock of its timestamps.

    Raises:
        ValueError, av.FFmpegError: if there is no sound that can be decoded, or its timestamps jump.
    """
    yield from _mono(sound_frames(path, track, by_clock=True))


def _mono(frames: Iterator[av.AudioFrame]) -> Iterator[np.ndarray]:
    return mono_blocks(resampled(frames, None, SAMPLE_RATE), SAMPLE_RATE)


def _joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *blocks])
