"""Cues of arousal in a voice, by phrase: spectral tilt, pitch, rate and stress, in units of how calm speech varies.

The references are the means and spreads of calm read speech: the GRID corpus' speakers measured here (tilt, range, rate), and the usual pitch
of men and women (Traunmüller and Eriksson 1995). Loudness itself is no cue, since `media.sound` sets it; its change between phrases is.

Shape legend: F frames at RATE, N phrases.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..media.sound import Sound
from .config import FPS
from .listening import Spectrum, mel_centres
from .prosody import Prosody

RATE = round(2 * FPS)
"""Frames per second in which syllables can be told apart."""
SHORTEST, LONGEST = 1.2, 3.6
"""Seconds of a phrase. Shorter ones are joined across their pause, longer ones are divided."""
BANDS, BORDER = 40, 1000.0
"""Mel bands, and Hz between low and high ones."""
TILT = (-16.5, 4.0)
"""dB above over below the border in voiced frames of calm speech: mean and spread over speakers and microphones."""
RANGE = (6.0, 2.3)
"""Semitones between the 10th and 90th percentile of pitch."""
SYLLABLES = (2.9, 0.55)
"""Loudness peaks per second of speech."""
CALM_PITCH, PITCH_SPREAD = 220.0, 3.5
"""Hz below which a calm woman's usual pitch lies, and semitones. A man's lies far below, so that his raised pitch is seen late."""
RISE = (-2.0, 3.0)
"""Semitones of a phrase's last voice over the rest."""
RISE_SECONDS = 0.4
LIFT, STRESS = 2.0, 3.0
"""Spreads between the phrases of a calm voice: semitones of pitch, and dB."""
PEAK_DIP, PEAK_LEVEL, PEAK_SMOOTH = 2.0, -15.0, 7
"""dB that a syllable's peak rises over the dips beside it, its level, and frames of smoothing."""
STEP = 2.0
"""Largest change of a true pitch from frame to frame, in semitones."""
OCTAVE = 9.0
"""Semitones from a phrase's median from which a pitch is taken for an octave's error."""
FEWEST = 5
"""Voiced frames without which a phrase says nothing."""


@dataclass(frozen=True, slots=True)
class Cues:
    """One phrase. All but the times are spreads from calm speech, 0 for calm, within -3 .. 3."""

    start: float
    stop: float
    """Seconds."""
    tilt: float
    """More energy at high frequencies."""
    level: float
    """Pitch over all calm voices."""
    range: float
    """Range of pitch."""
    rate: float
    """Syllables per second."""
    rise: float
    """Rise of pitch at the end."""
    lift: float
    """Pitch over this voice's own usual."""
    stress: float
    """Loudness over this voice's own usual."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.stop - self.start


NAMES = ("tilt", "level", "range", "rate", "rise", "lift", "stress")


def voice_cues(sound: Sound) -> tuple[Cues, ...]:
    """Measure each phrase of a sound.

    Args:
        sound: see `media.sound.load_sound`.

    Returns:
        N cues in order of time; none if there is no speech.
    """
    frames = max(1, int(sound.seconds * RATE))
    prosody = Prosody(sound.waveform, frames, RATE)
    spectrum = Spectrum(sound, BANDS)
    found = [_cues(prosody, spectrum, first, last) for first, last in phrases(prosody.pause)]
    return _compared([cues for cues in found if cues is not None])


def phrases(pause: np.ndarray) -> Iterator[tuple[int, int]]:
    """Stretches of speech: (F,) bool to pairs of frames [first, last)."""
    changes = np.flatnonzero(np.diff(np.concatenate([[1], pause.astype(np.int8), [1]])))
    joined: list[list[int]] = []
    for first, last in zip(changes[::2], changes[1::2], strict=True):
        short = joined and min(last - first, joined[-1][1] - joined[-1][0]) < SHORTEST * RATE
        if short and last - joined[-1][0] <= LONGEST * RATE:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    for first, last in joined:
        edges = np.linspace(first, last, max(1, round((last - first) / (LONGEST * RATE))) + 1).round().astype(int)
        yield from zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def _cues(prosody: Prosody, spectrum: Spectrum, first: int, last: int) -> Cues | None:
    """A phrase by itself: its lift is still in semitones over CALM_PITCH, and its stress in dB. None if hardly any of it has a pitch."""
    pitch = prosody.pitch(first, last)
    voiced = _steady(pitch)
    if voiced.sum() < FEWEST:
        return None
    spoken, loudness = ~prosody.pause[first:last], prosody.loudness[first:last]
    low, middle, high = np.percentile(pitch[voiced], (10, 50, 90))
    level = float(10 * np.log10(np.mean(10 ** (loudness[spoken] / 10))))
    over_calm = float(middle + 12 * np.log2(prosody.usual_pitch / CALM_PITCH))
    return Cues(
        start=first / RATE,
        stop=last / RATE,
        tilt=_spreads(_tilt(spectrum, voiced, first), *TILT),
        level=_spreads(max(0.0, over_calm), 0, PITCH_SPREAD),
        range=_spreads(high - low, *RANGE),
        rate=_spreads(syllables(loudness - level) / (spoken.sum() / RATE), *SYLLABLES),
        rise=_spreads(_rise(pitch, voiced), *RISE),
        lift=over_calm,
        stress=level,
    )


def _compared(found: list[Cues]) -> tuple[Cues, ...]:
    """Lift and stress become changes from this voice's usual phrase."""
    lift, stress = (float(np.median([getattr(cues, name) for cues in found] or [0])) for name in ("lift", "stress"))
    return tuple(
        replace(cues, lift=_spreads(cues.lift, lift, LIFT), stress=_spreads(cues.stress, stress, STRESS))
        for cues in found
    )


def _spreads(value: float, mean: float, spread: float) -> float:
    return float(np.clip((value - mean) / spread, -3, 3))


def _steady(pitch: np.ndarray) -> np.ndarray:
    """(F,) semitones, 0 without a voice, to whether each is part of a smooth line near the others."""
    voiced = pitch != 0
    near = np.abs(np.diff(pitch)) < STEP
    lasting = np.concatenate([[False], voiced[:-1] & near]) & np.concatenate([voiced[1:] & near, [False]])
    steady = voiced & lasting
    return steady & (np.abs(pitch - np.median(pitch[steady])) < OCTAVE) if steady.any() else steady


def _tilt(spectrum: Spectrum, voiced: np.ndarray, first: int) -> float:
    """Energy of high over low bands in dB, mean over voiced frames (F,)."""
    start = first // 2
    power = spectrum.frames(start, start + (len(voiced) + 1) // 2).exp().numpy()
    chosen = voiced[::2] if voiced[::2].any() else np.ones(len(power), bool)
    high = mel_centres(BANDS).numpy() > BORDER
    return float(np.mean(10 * np.log10(power[chosen][:, high].sum(1) / power[chosen][:, ~high].sum(1))))


def _rise(pitch: np.ndarray, voiced: np.ndarray) -> float:
    """Semitones of the last voiced part of a phrase over the rest."""
    places = np.flatnonzero(voiced)
    end = places > places[-1] - RISE_SECONDS * RATE
    return float(np.median(pitch[places[end]]) - np.median(pitch[places[~end]])) if (~end).any() else 0.0


def syllables(loudness: np.ndarray) -> int:
    """Peaks of (F,) dB over the phrase's level, each with a dip to the next."""
    kernel = np.hanning(PEAK_SMOOTH + 2)[1:-1]
    smooth = np.convolve(np.pad(loudness, PEAK_SMOOTH // 2, mode="edge"), kernel / kernel.sum(), "valid")
    peaks: list[int] = []
    for place in np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])) + 1:
        if smooth[place] < PEAK_LEVEL:
            continue
        dip = smooth[peaks[-1] : place + 1].min() if peaks else -np.inf
        if peaks and dip > min(smooth[peaks[-1]], smooth[place]) - PEAK_DIP:
            peaks[-1] = max(peaks[-1], place, key=lambda at: smooth[at])
        else:
            peaks.append(place)
    return len(peaks)
