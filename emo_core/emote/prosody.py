"""Loudness, pauses and pitch of a voice, by video frame.

Shape legend: S samples at 16 kHz, F frames.
"""

import numpy as np

from ..media.sound import GATE, SAMPLE_RATE

EMPHASIS = 0.95
"""Of the filter that lowers hum and rumble before loudness is measured."""
QUIETEST = -60.0
"""dB."""
ABOVE_FLOOR, THRESHOLDS = 8.0, (-34.0, -20.0)
"""A pause is quieter than the background's level plus so many dB, within these limits."""
PAUSE_SECONDS = 0.24
"""A shorter silence is a stop consonant."""
RAMP_SECONDS = 0.12
"""Time in which lips close after speech, and open before it."""
REST_SECONDS = (0.8, 1.6)
"""Distance from speech at which a face begins to rest, and from which it does."""
LOWEST, HIGHEST = 60.0, 400.0
"""Hz of a voice's pitch."""
VOICED = 0.45
"""Autocorrelation at the pitch over that at 0."""
WINDOW = 1024
"""Samples in which pitch is measured."""
COARSE = 4
"""Samples of which pitch reads the mean: it lies far below 2 kHz."""
CHUNK = 512
"""Frames that are measured at once, so that memory stays flat."""
VOICE_SECONDS = 20.0
"""Length of the beginning that tells the voice's usual pitch."""
QUIET_VOICE = -20.0
"""dB under which no pitch is believed."""


class Prosody:
    """How a voice sounds at each frame. Pitch is measured when it is asked for, so that a long sound starts at once."""

    def __init__(self, waveform: np.ndarray, frames: int, fps: float) -> None:
        """Measure loudness and pauses.

        Args:
            waveform: (S,) at 16 kHz, speech at unit level.
            frames: F.
            fps: frames per second.
        """
        self.fps = fps
        edges = np.round(np.arange(frames + 1) / fps * SAMPLE_RATE).astype(int)
        self._sound = np.pad(waveform, (WINDOW // 2, max(0, edges[-1] + WINDOW - len(waveform))))
        self._centres = (edges[1:] + edges[:-1]) // 2
        power = _bright_power(self._sound[WINDOW // 2 :], edges)
        level = float(np.sqrt(max(power[power >= power.mean() * GATE**2].mean(), 1e-18)))
        self.loudness = np.maximum(10 * np.log10(np.maximum(power, 1e-20) / level**2), QUIETEST)
        """(F,) dB over normal speech."""
        self.pause = _pauses(self.loudness, fps)
        """(F,) bool"""
        some = _pitch(self._sound, self._centres[: round(VOICE_SECONDS * fps)])
        voiced = some[some > 0]
        self.usual_pitch = float(np.median(voiced)) if len(voiced) else 150.0
        """Hz, the median of the beginning."""

    @property
    def openness(self) -> np.ndarray:
        """(F,) 1 in speech, 0 in the middle of a pause, with ramps inside the pause."""
        reach = max(1, round(RAMP_SECONDS * self.fps))
        return 0.5 + 0.5 * np.cos(np.pi * np.clip(self._from_speech() / (reach + 1), 0, 1))

    @property
    def rest(self) -> np.ndarray:
        """(F,) 1 where nobody speaks for long, 0 in speech and short pauses, with ramps between."""
        return self.far_from_speech(*REST_SECONDS)

    def far_from_speech(self, near: float, far: float) -> np.ndarray:
        """(F,) 0 up to `near` seconds from speech, 1 from `far` seconds on, with a ramp between."""
        share = np.clip((self._from_speech() / self.fps - near) / (far - near), 0, 1)
        return share * share * (3 - 2 * share)

    def _from_speech(self) -> np.ndarray:
        """(F,) frames to the nearest frame of speech; infinite without any."""
        if self.pause.all():
            return np.full(len(self.pause), np.inf)
        frames, speech = np.arange(len(self.pause)), np.flatnonzero(~self.pause)
        after = np.searchsorted(speech, frames).clip(max=len(speech) - 1)
        before = (after - 1).clip(min=0)
        return np.minimum(abs(speech[after] - frames), abs(frames - speech[before]))

    def pitch(self, first: int, last: int) -> np.ndarray:
        """Semitones over the voice's median at frames [first, last); 0 where there is no voice."""
        hertz = _pitch(self._sound, self._centres[first:last])
        voiced = (hertz > 0) & (self.loudness[first:last] > QUIET_VOICE)
        return np.where(voiced, 12 * np.log2(np.where(voiced, hertz, self.usual_pitch) / self.usual_pitch), 0.0)

    def features(self, first: int, last: int) -> np.ndarray:
        """(F, 3) loudness, pause and pitch in comparable units; the last frame is repeated after the end."""
        inner = slice(first, min(last, len(self.pause)))
        loud = np.clip(self.loudness[inner], -30, 10) / 10
        pitch = np.clip(self.pitch(first, inner.stop), -8, 8) / 8
        found = np.stack([loud, 1.5 * self.pause[inner], pitch], axis=1)
        return np.pad(found, ((0, last - inner.stop), (0, 0)), mode="edge").astype(np.float32)


def _bright_power(sound: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(F,) mean power between edges of the sound without its low frequencies."""
    power = np.empty(len(edges) - 1)
    for first in range(0, len(power), CHUNK):
        part = edges[first : first + CHUNK + 1]
        block = sound[part[0] : part[-1] + 1]
        squares = np.square(block[1:] - EMPHASIS * block[:-1])
        power[first : first + CHUNK] = np.add.reduceat(squares, part[:-1] - part[0]) / np.diff(part)
    return power


def _pauses(loudness: np.ndarray, fps: float) -> np.ndarray:
    """(F,) dB to whether each frame lies in a pause."""
    smooth = np.convolve(np.pad(loudness, 1, mode="edge"), (0.25, 0.5, 0.25), "valid")
    quiet = smooth < np.clip(np.percentile(loudness, 5) + ABOVE_FLOOR, *THRESHOLDS)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    pause = np.zeros(len(loudness), bool)
    for start, stop in zip(changes[::2], changes[1::2], strict=True):
        if stop - start >= PAUSE_SECONDS * fps:
            pause[start:stop] = True
    return pause


def _pitch(sound: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(C,) Hz around places, which count from half a window before the sound's start; 0 without a voice."""
    first, last = centres[0] // COARSE, centres[-1] // COARSE + WINDOW // COARSE
    rate, coarse = SAMPLE_RATE / COARSE, sound[first * COARSE : last * COARSE].reshape(-1, COARSE).mean(1)
    frames = coarse[(centres // COARSE - first)[:, None] + np.arange(WINDOW // COARSE)]
    frames = (frames - frames.mean(1, keepdims=True)) * np.hanning(WINDOW // COARSE).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames, 2 * WINDOW // COARSE)) ** 2
    similar = np.fft.irfft(spectrum)[:, : int(rate / LOWEST) + 2]
    nearest = int(rate / HIGHEST)
    best = nearest + similar[:, nearest:-1].argmax(1)
    rows = np.arange(len(best))
    before, at, after = (similar[rows, best + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * at + after, -1e-12)
    fine = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return np.where(at > VOICED * np.maximum(similar[:, 0], 1e-9), rate / (best + fine), 0.0)
