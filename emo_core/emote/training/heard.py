"""What an emote model hears in a film, and how the face moves in it: the material of training.

Shape legend: F frames at 25 fps, L D layers and width of the encoder, M mel bands, I inputs, K coefficients of `action_units.CURVES`,
E emotions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from ...audio.features import AudioFeatures, window_indices
from ...emotion import EXPRESSIVE
from ...errors import InputError
from ...files import atomic_path
from ...media.sound import Sound
from ..action_units import CURVES
from ..config import FPS, EmoteConfig
from ..listening import Listening, Spectrum, joined
from ..mouth import MouthTrack
from ..prosody import Prosody
from ..weights import EmoteModel
from .construct import Speech

FORMAT = "emote-film-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardFilm:
    """One film."""

    name: str
    person: str
    features: np.ndarray
    """(F, L, D) float16 of the encoder."""
    mel: np.ndarray
    """(F, M) float16"""
    speech: Speech
    """What the content model makes of the sound."""
    motion: np.ndarray | None = None
    """(F, K) as filmed; None for a sound without a film."""
    emotion: np.ndarray | None = None
    """(E,) strengths that the actor was asked for; zeros for neutral, None if unknown."""

    def __len__(self) -> int:
        """F."""
        return len(self.mel)

    def inputs(self, start: int, stop: int, config: EmoteConfig) -> Tensor:
        """(F, I) of frames [start, stop), see `listening`."""
        return windowed(self.features, self.mel, start, stop, (config.audio.window, config.mel_window))


def windowed(features: np.ndarray, mel: np.ndarray, start: int, stop: int, reach: tuple[int, int]) -> Tensor:
    """Features (F, L, D) and log-mel (F, M) to inputs (F, I) float32 of frames [start, stop), which may lie past the end.

    `reach` has the frames that are read to each side, of the features and of the log-mel.
    """
    near, wide = (
        torch.from_numpy(part)[window_indices(start, stop, frames, len(part))]
        for part, frames in zip((features, mel), reach, strict=True)
    )
    return joined(near, wide).float()


@torch.no_grad()
def hear(
    sound: Sound,
    model: EmoteModel,
    *,
    name: str,
    person: str,
    motion: np.ndarray | None = None,
    emotion: np.ndarray | None = None,
) -> HeardFilm:
    """Listen to a sound as `speak` does.

    Args:
        sound: of the film.
        model: whose encoder and content model listen.
        name: of the film.
        person: who speaks.
        motion: see `HeardFilm`; cut to the sound's length, or the sound to its.
        emotion: see `HeardFilm`.
    """
    config = model.config
    audio = AudioFeatures(sound, model.encoder, fps=FPS, window=config.audio.window)
    prosody = Prosody(sound.waveform, audio.frames, FPS)
    track = MouthTrack(
        model.content,
        Listening(sound, audio, config),
        prosody,
        model.rig,
        curves=config.curves,
        style=0,
        amount=1.0,
        smoothing=0.0,
    )
    frames = audio.frames if motion is None else min(audio.frames, len(motion))
    speech = Speech(track.take(0, frames), prosody.rest[:frames], prosody.loudness[:frames])
    return HeardFilm(
        name=name,
        person=person,
        features=audio.frame_features(0, frames).numpy().astype(np.float16),
        mel=Spectrum(sound, config.mel_bands).frames(0, frames).numpy().astype(np.float16),
        speech=speech,
        motion=None if motion is None else motion[:frames],
        emotion=emotion,
    )


def save_film(film: HeardFilm, path: Path) -> None:
    """Write a film, whole or not at all."""
    arrays = {
        "features": film.features,
        "mel": film.mel,
        "mouth": film.speech.mouth.astype(np.float32),
        "rest": film.speech.rest.astype(np.float32),
        "loudness": film.speech.loudness.astype(np.float32),
    }
    arrays |= {
        name: getattr(film, name).astype(np.float32)
        for name in ("motion", "emotion")
        if getattr(film, name) is not None
    }
    with atomic_path(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(values) for name, values in arrays.items()},
            temporary,
            {"format": FORMAT, "name": film.name, "person": film.person},
        )


def load_film(path: Path) -> HeardFilm:
    """Read a film.

    Raises:
        InputError: if it is no whole file of `save_film`.
    """
    try:
        with safe_open(path, "numpy") as stored:
            about = stored.metadata() or {}
            if about.get("format") != FORMAT:
                raise ValueError("it is another kind of file")
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}
        speech = Speech(arrays["mouth"], arrays["rest"], arrays["loudness"])
        film = HeardFilm(
            name=about["name"],
            person=about["person"],
            features=arrays["features"],
            mel=arrays["mel"],
            speech=speech,
            motion=arrays.get("motion"),
            emotion=arrays.get("emotion"),
        )
        _check(film)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(f"emote train: {path} cannot be read ({error}); prepare the films again") from error
    return film


def load_films(folder: Path) -> Iterator[HeardFilm]:
    """All films of a folder, in the order of their names.

    Raises:
        InputError: if there is none, or one cannot be read.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InputError(f"emote train: {folder} holds no prepared film; give the folder that `emote prepare` wrote")
    yield from map(load_film, paths)


def _check(film: HeardFilm) -> None:
    frames = len(film)
    lengths = {len(part) for part in (film.features, film.speech.mouth, film.speech.rest, film.speech.loudness)}
    if lengths != {frames} or not frames:
        raise ValueError("its parts differ in length")
    if film.motion is not None and film.motion.shape != (frames, len(CURVES)):
        raise ValueError(f"its motion is {film.motion.shape}")
    if film.emotion is not None and film.emotion.shape != (len(EXPRESSIVE),):
        raise ValueError(f"its emotion is {film.emotion.shape}")
