"""A person's way of speaking, learnt from film: the content model's mouth, corrected towards the person's by regression.

Two regressions read the sound: a kernel regression the encoder and the spectrum, a linear one the hidden layer and the curves of the
content model. Each predicts what the person's mouth has beyond a share of the content model's. The penalty and the share are those
whose predictions of film that was not learnt are best; with little film, they leave the content model nearly as it is. The mean of
both is taken. It moves less than a mouth, as every prediction from sound does, so its curves and the opening of the lips get the
person's spread. Lips then meet where the content model closes them, and in pauses, unless they are clearly predicted to be open.

Shape legend: N frames, F frames, K curves of the mouth, A and C numbers that are heard (see `heard`), W waves, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np

from ..emote.closure import opening_of, with_gap
from ..emote.mouth import closed, shut_share
from ..emote.prosody import Prosody
from ..emote.weights import EmoteModel
from ..errors import CheckpointError, InputError
from ..face.rig import FaceRig
from ..smoothing import gaussian
from .heard import Heard, Hearing, widths
from .ridge import Scaling, Waves, best_reading
from .takes import FPS
from .track import Track

WAVES, FREQUENCY = 800, 0.7
"""Of the kernel regression."""
FOLDS = 5
APART = 12
"""Frames beside a fold that do not teach what predicts it: lips do not change at once."""
LEAST = 40
"""Spoken frames from which something is learnt."""
GAIN = 2.5
"""Most that a curve's deviation grows."""
KNOWN = (0.1, 0.3)
"""Correlation with the person's curve from which its deviation is matched, and from which fully."""
QUANTILES = 21
MEETING, PAUSING = (0.02, 0.04), (0.03, 0.06)
"""Predicted gaps, over neutral and in heights of the face, up to which lips close and from which they do not: at m, b, p and in pauses."""
QUIET, SILENT = (0.16, 0.3), (0.3, 0.6)
"""Seconds from speech at which lips begin to close and from which they are closed, and at which the face begins to rest, and from which it
does, whatever is predicted."""
RESTING = 12
"""Frames of pauses from which the person's resting mouth is known."""
BLOCK = 256
"""Frames that are heard at once."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Where one sound is silent: (F,) each."""

    openness: np.ndarray
    """See `Prosody.openness`."""
    quiet: np.ndarray
    """0 in speech, 1 in pauses."""
    silence: np.ndarray
    """1 where nobody speaks for long."""

    @classmethod
    def of(cls, prosody: Prosody) -> Voice:
        """Of a whole sound."""
        return cls(prosody.openness, prosody.far_from_speech(*QUIET), prosody.far_from_speech(*SILENT))

    def __getitem__(self, frames: slice) -> Voice:
        """A range of frames."""
        return Voice(self.openness[frames], self.quiet[frames], self.silence[frames])


@dataclass(frozen=True, slots=True)
class PersonSpeech:
    """How heard numbers become a person's mouth."""

    mixture: np.ndarray
    """(A, W) float16, see `ridge.Waves`."""
    phase: np.ndarray
    """(W,)"""
    sound: np.ndarray
    """(W, K) weights of the waves of what the encoder hears."""
    made: np.ndarray
    """(C, K) weights of what the content model makes."""
    bias: np.ndarray
    """(K,)"""
    share: np.ndarray
    """() of the content model's curves that is added."""
    middle: np.ndarray
    """(K,) mean of the predicted curves, about which they grow."""
    gain: np.ndarray
    """(K,) by how much."""
    gaps: np.ndarray
    """(2, Q) increasing: predicted gaps of the lips, and the person's that are as frequent."""
    rest: np.ndarray
    """(K,) the person's mouth in pauses, lips closed."""
    model: np.ndarray
    """(K,) the bias of the content model with which this was learnt, to tell it from others."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` reads."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> PersonSpeech:
        """Check what a file holds.

        Raises:
            CheckpointError: if it is no person's speech.
        """
        try:
            parts = {item.name: np.asarray(arrays[item.name], np.float32) for item in fields(cls)}
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(f"avatar: the file has no speech ({error}); make the avatar again") from error
        shapes, count, waves = (
            {name: part.shape for name, part in parts.items()},
            parts["bias"].size,
            parts["phase"].size,
        )
        expected = shapes | dict.fromkeys(("bias", "middle", "gain", "rest", "model"), (count,))
        expected |= {"mixture": (*shapes["mixture"][:1], waves), "phase": (waves,), "sound": (waves, count)}
        expected |= {"share": (), "made": (*shapes["made"][:1], count), "gaps": (2, *shapes["gaps"][1:2])}
        wrong = [f"{name} {shapes[name]}" for name in shapes if shapes[name] != expected[name]]
        finite = all(bool(np.isfinite(part).all()) for part in parts.values())
        if wrong or not count or not parts["gaps"].size or not finite or (np.diff(parts["gaps"]) < 0).any():
            raise CheckpointError(
                f"avatar: its speech is broken ({', '.join(wrong) or 'values'}); make the avatar again"
            )
        return cls(**parts | {"mixture": parts["mixture"].astype(np.float16)})

    def check(self, emote: EmoteModel) -> None:
        """Raise InputError for another emote model than that with which the person was learnt."""
        shapes = (len(self.mixture), len(self.made)), len(self.bias)
        same = shapes == (widths(emote), len(emote.config.curves))
        if not same or not np.allclose(self.model, emote.content.linear.bias.numpy(), atol=1e-3):
            raise InputError(
                "avatar: it was learnt with another emote model; speak with that one, or make the avatar again with this one"
            )

    def predicted(self, heard: Heard) -> np.ndarray:
        """(F, K) curves before they get the person's spread, not limited."""
        made = Waves(self.mixture, self.phase)(heard.sound) @ self.sound + heard.made @ self.made
        return made.astype(np.float64) + self.bias + float(self.share) * heard.content

    def mouth(self, heard: Heard, voice: Voice, opening: np.ndarray, curves: tuple[str, ...]) -> np.ndarray:
        """The person's mouth.

        Args:
            heard: of F frames.
            voice: of the same frames.
            opening: (K,) see `closure.opening_of`.
            curves: names of the K curves.

        Returns:
            (F, K) in 0 .. 1.
        """
        values = np.clip(self.middle + (self.predicted(heard) - self.middle) * self.gain, 0, 1)
        gap = np.interp(values @ opening, *self.gaps)
        meeting = shut_share(heard.closing) * _narrow(gap, *MEETING) * voice.openness
        pausing = np.maximum(voice.quiet * _narrow(gap, *PAUSING), voice.silence)
        values = closed(with_gap(values, gap, opening, curves), opening, np.maximum(meeting, pausing))
        values = values + (self.rest - values) * voice.silence[:, None]
        return np.clip(values, 0, 1)


@dataclass(frozen=True, slots=True)
class _Film:
    """What teaches: N frames that are shown and heard."""

    heard: Heard
    curves: np.ndarray
    """(N, K) the person's."""
    pause: np.ndarray
    """(N,) bool"""
    place: np.ndarray
    """(N,) frames in the track; neighbours of one take differ by one."""


def learn_speech(
    track: Track,
    emote: EmoteModel,
    rig: FaceRig,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> PersonSpeech:
    """Learn how a person speaks.

    Args:
        track: of the person.
        emote: whose mouth is corrected.
        rig: of the track's motion.
        seed: of the kernel's waves.
        progress: gets the finished share, 0 .. 1; it may raise `errors.Cancelled`.

    Raises:
        InputError: if the films have no sound, or too little speech.
    """
    film, config = _gathered(track, emote, lambda share: progress(0.8 * share)), emote.config
    if (~film.pause).sum() < LEAST:
        raise InputError(
            f"avatar: the films hold {(~film.pause).sum() / FPS:.1f} s of speech; expected {LEAST / FPS:g} s or more, better three "
            "minutes; give films with the person's voice"
        )
    heard, curves, opening = film.heard, film.curves, opening_of(rig, config.curves)
    encoded = (2 * config.audio.window + 1) * config.audio.width
    scaling = Scaling.of(heard.sound, (encoded, heard.sound.shape[1] - encoded))
    waves = Waves.drawn(scaling, WAVES, FREQUENCY, seed)
    folds = _folds(film.place)
    readings = []
    for number, rows in enumerate((waves(heard.sound), heard.made)):
        readings.append(best_reading(rows, heard.content, curves, opening, rows.shape[1:], folds))
        progress(0.9 + 0.1 * number)
    unseen = (readings[0].unseen + readings[1].unseen) / 2
    middle, gain = unseen.mean(0), _gain(unseen, curves)
    grown = np.clip(middle + (unseen - middle) * gain, 0, 1)
    speech = {
        "mixture": waves.mixture,
        "phase": waves.phase,
        "sound": readings[0].weights / 2,
        "made": readings[1].weights / 2,
        "bias": (readings[0].bias + readings[1].bias) / 2,
        "share": (readings[0].share + readings[1].share) / 2,
        "middle": middle,
        "gain": gain,
        "gaps": _gaps(grown @ opening, curves @ opening),
        "rest": _rest(film, opening),
        "model": emote.content.linear.bias.numpy(),
    }
    return PersonSpeech.from_arrays(speech)


def _gathered(track: Track, emote: EmoteModel, progress: Callable[[float], None]) -> _Film:
    """All frames that are shown and heard."""
    names, parts = emote.config.curves, []
    takes = [take for take in track.takes if take.sound is not None]
    if not takes:
        raise InputError("avatar: the films have no sound; give films in which the person speaks")
    for number, take in enumerate(takes):
        shown = np.flatnonzero(track.shown[take.rows])
        if len(shown) and np.any(take.sound.waveform):
            hearing = Hearing(take.sound, emote)
            blocks = [hearing.take(first, min(first + BLOCK, take.frames)) for first in range(0, take.frames, BLOCK)]
            heard = [np.concatenate(column)[shown] for column in zip(*blocks, strict=True)]
            curves = track.motion[take.rows].curves(names)[shown]
            parts.append((*heard, curves.astype(np.float64), hearing.prosody.pause[shown], take.first + shown))
        progress((number + 1) / len(takes))
    if not parts:
        raise InputError("avatar: no frame both shows the person and is heard; give films in which the person speaks")
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return _Film(Heard(*columns[:4]), *columns[4:])


def _folds(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of frames: their numbers (N,), and the frames (N, D) that lie in or near each."""
    count = min(FOLDS, max(2, len(place) // (4 * APART)))
    folds = np.arange(len(place)) * count // len(place)
    edges = [place[folds == fold][[0, -1]] for fold in range(count)]
    return folds, np.stack([(place >= first - APART) & (place <= last + APART) for first, last in edges], axis=1)


def _gain(unseen: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """(K,) that gives predicted curves the person's deviation, as far as they follow the person at all."""
    ours, true = unseen.std(0), curves.std(0)
    together = ((unseen - unseen.mean(0)) * (curves - curves.mean(0))).mean(0)
    follows = together / np.maximum(ours * true, 1e-9)
    trust = np.clip((follows - KNOWN[0]) / (KNOWN[1] - KNOWN[0]), 0, 1)
    return 1 + (np.clip(true / np.maximum(ours, 1e-6), 1, GAIN) - 1) * trust


def _gaps(made: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(2, Q) quantiles of both gaps, the second smoothed a little as few frames reach its ends."""
    place = np.linspace(0, 1, QUANTILES)
    pair = np.stack([np.quantile(made, place), np.quantile(true, place)])
    pair[1, 1:-1] = gaussian(pair[1][:, None], 0.5)[1:-1, 0]
    return np.maximum.accumulate(pair, axis=1)


def _rest(film: _Film, opening: np.ndarray) -> np.ndarray:
    """(K,) the person's mouth where nobody speaks, lips closed; neutral if no pause is filmed."""
    if film.pause.sum() < RESTING:
        return np.zeros(len(opening))
    return closed(np.median(film.curves[film.pause], axis=0)[None], opening, np.ones(1))[0]


def _narrow(gap: np.ndarray, narrow: float, wide: float) -> np.ndarray:
    """(F,) 1 for gaps up to the first, 0 from the second on, with a ramp between."""
    share = np.clip((wide - gap) / (wide - narrow), 0, 1)
    return share * share * (3 - 2 * share)
