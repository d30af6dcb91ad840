"""What is known of a person after the films are read: pictures, landmarks, motion and sound of every frame.

Shape legend: N frames, K coefficients, S side of the pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import InputError
from ..face.motion import FaceMotion
from ..fields import Between, Items, read_fields
from ..files import atomic_path, existing_file
from ..media.sound import Sound
from .pictures import MAX_SIDE, Pictures
from .takes import FPS, SAMPLES, Take

FORMAT = "avatar-track-1"
MAX_TAKES = 100_000
LONGEST = 10_000_000
"""Frames of a take."""


@dataclass(frozen=True, slots=True)
class Track:
    """N frames of one person, take after take."""

    pictures: Pictures
    """N squares of side S."""
    landmarks: np.ndarray
    """(N, 478, 3) float32 pixels of the squares, not rounded, smoothed in time; never NaN."""
    shown: np.ndarray
    """(N,) bool; False in frames that nothing is to be learnt from: no face, a profile, beside a cut. Their landmarks are
    interpolated or repeated."""
    motion: FaceMotion
    """N frames against the person's neutral face and median pose."""
    neutral: np.ndarray
    """(478, 3) the person's neutral face, see `face.rig_fit.estimate_neutral`."""
    takes: tuple[Take, ...]
    size: int
    """S in pixels."""

    def __post_init__(self) -> None:
        """Raise InputError if the parts do not fit each other."""
        count = len(self.pictures)
        shapes = self.landmarks.shape, self.shown.shape, self.neutral.shape, len(self.motion), self.motion.fps
        if shapes != ((count, 478, 3), (count,), (478, 3), count, FPS) or self.shown.dtype != bool:
            raise InputError(f"track: {count} pictures do not fit {shapes}; track the films again")
        if not np.isfinite(self.landmarks).all() or not np.isfinite(self.neutral).all():
            raise InputError("track: some landmarks are not finite numbers; track the films again")
        firsts = np.cumsum([0, *(take.frames for take in self.takes)])
        if [take.first for take in self.takes] != firsts[:-1].tolist() or firsts[-1] != count:
            raise InputError(f"track: its takes do not fit its {count} frames; track the films again")
        for take in self.takes:
            if take.sound is not None and len(take.sound.waveform) != take.frames * SAMPLES:
                raise InputError(f"track: the sound of {take.name} does not fit its frames; track the films again")

    def __len__(self) -> int:
        """N."""
        return len(self.pictures)

    def take_of(self, frame: int) -> Take:
        """The take that a frame belongs to."""
        frame = range(len(self))[frame]
        return next(take for take in self.takes if take.first <= frame < take.stop)

    @property
    def take_numbers(self) -> np.ndarray:
        """(N,) number of each frame's take."""
        return np.repeat(np.arange(len(self.takes)), [take.frames for take in self.takes])

    def runs(self, least: int = 1) -> Iterator[tuple[Take, int, int]]:
        """Take, first frame and frame after the last of all runs that are shown without a break for `least` frames, or a whole take."""
        for take in self.takes:
            shown = np.concatenate([[0], self.shown[take.rows].astype(np.int8), [0]])
            edges = np.flatnonzero(np.diff(shown))
            for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                if stop - start >= min(least, take.frames):
                    yield take, take.first + start, take.first + stop

    @property
    def usable_seconds(self) -> float:
        """Seconds of the frames that are shown."""
        return float(self.shown.sum()) / FPS


@dataclass(frozen=True, slots=True)
class _AboutTake:
    name: str
    frames: Annotated[int, Between(1, LONGEST)]
    sound: bool
    offset: Annotated[float, Between(-10, 10)]
    start: Annotated[float, Between(0, 1e7)]


@dataclass(frozen=True, slots=True)
class _About:
    names: Annotated[tuple[str, ...], Items(1, 512)]
    size: Annotated[int, Between(1, MAX_SIDE)]


def save_track(track: Track, path: Path) -> None:
    """Write a track, whole or not at all."""
    data, ends = track.pictures.arrays()
    sounds = [take.sound.waveform for take in track.takes if take.sound is not None]
    arrays = {
        "pictures": data,
        "ends": ends,
        "landmarks": track.landmarks.astype(np.float32, copy=False),
        "shown": track.shown,
        "coefficients": track.motion.coefficients.astype(np.float32, copy=False),
        "rotation": track.motion.rotation.astype(np.float32, copy=False),
        "translation": track.motion.translation.astype(np.float32, copy=False),
        "neutral": track.neutral,
        "sounds": np.concatenate([np.zeros(0, np.float32), *sounds]).astype(np.float32, copy=False),
    }
    takes = [
        {
            "name": take.name,
            "frames": take.frames,
            "sound": take.sound is not None,
            "offset": take.offset,
            "start": take.start,
        }
        for take in track.takes
    ]
    about = {
        "format": FORMAT,
        "about": json.dumps({"names": track.motion.names, "size": track.size}),
        "takes": json.dumps(takes),
    }
    with atomic_path(path) as temporary:
        save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, temporary, about)


def load_track(path: Path) -> Track:
    """Read a track.

    Raises:
        InputError: if there is no file, or it is no whole track.
    """
    path = existing_file(path, "track", "a file that tracking wrote")
    try:
        with safe_open(path, "numpy") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError("it is another kind of file")
            about = read_fields(_About, json.loads(metadata["about"]))
            takes = json.loads(metadata["takes"])
            if not isinstance(takes, list) or not 0 < len(takes) <= MAX_TAKES:
                raise ValueError("its takes are no list")
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}
        return Track(
            pictures=Pictures.from_arrays(arrays["pictures"], arrays["ends"]),
            landmarks=arrays["landmarks"].astype(np.float32, copy=False),
            shown=arrays["shown"],
            motion=FaceMotion(
                coefficients=arrays["coefficients"].astype(np.float32, copy=False),
                rotation=arrays["rotation"].astype(np.float32, copy=False),
                translation=arrays["translation"].astype(np.float32, copy=False),
                fps=FPS,
                names=about.names,
            ),
            neutral=arrays["neutral"].astype(np.float64, copy=False),
            takes=_takes([read_fields(_AboutTake, take) for take in takes], arrays["sounds"].astype(np.float32)),
            size=about.size,
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"track: {path} cannot be read ({error}); track the films again") from error


def _takes(abouts: list[_AboutTake], sounds: np.ndarray) -> tuple[Take, ...]:
    """The takes with their parts of all sounds (samples,)."""
    takes, first, place = [], 0, 0
    for about in abouts:
        sound = None
        if about.sound:
            sound = Sound(sounds[place : place + about.frames * SAMPLES])
            place += about.frames * SAMPLES
        takes.append(Take(about.name, first, about.frames, sound, about.offset, about.start))
        first += about.frames
    if place != len(sounds):
        raise ValueError(f"its takes have {place} samples of sound; the file holds {len(sounds)}")
    return tuple(takes)
