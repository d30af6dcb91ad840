"""What a talking film shows and what its sound makes of it: the tracked motion, the spoken one, and wrong ones between them.

A guide whose mouth is right would teach the network to copy it. So the guide's mouth is of another size, late, or uneven; what is
right must be heard.

Shape legend: F frames, K coefficients, L D wav2vec layers and width.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.features import AudioFeatures
from emo_core.emote.speak import SpeakRequest, speak
from emo_core.emote.training.prepare import neutral_face
from emo_core.emote.weights import EmoteModel
from emo_core.face.coefficients import MOUTH
from emo_core.face.detect import FaceDetector
from emo_core.face.film import watch_film
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_fit import filled, fit_motion
from emo_core.face.rig import FaceRig
from emo_core.media.sound import load_sound
from emo_core.smoothing import gaussian

FPS = 25.0
AMPLITUDE = (0.5, 1.3)
"""Factor on the mouth's coefficients."""
SPOKEN = 0.65
"""Share of the guides whose mouth is emote-mini's; the others' is the tracked one."""
LATE = 0.4
"""Share of the guides whose mouth is one or two frames late."""
UNEVEN = 0.25
"""Standard deviation of the slowly changing factor on each coefficient."""
Alter = Callable[[FaceMotion, FaceMotion, np.random.Generator], FaceMotion]
"""A guide's motion from the true one and the spoken one."""


@dataclass(frozen=True, slots=True)
class TalkingFilm:
    """A film, tracked and heard."""

    path: Path
    person: str
    landmarks: np.ndarray
    """(F, 478, 3) pixels."""
    motion: FaceMotion
    """Tracked, at 25 fps: F frames."""
    spoken: FaceMotion
    """What emote-mini makes of the sound: F frames."""
    features: torch.Tensor
    """(F, L, D) float16 of the audio encoder."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What is needed to track films and hear them."""

    detector: FaceDetector
    rig: FaceRig
    emote: EmoteModel
    encoder: AudioEncoder
    window: int
    """Frames on each side in the network's audio windows."""

    def films(self, people: dict[str, list[Path]]) -> Iterator[TalkingFilm]:
        """Track all films; those of one person and folder share a neutral face."""
        paths = [(person, path) for person, own in people.items() for path in own]
        watched = {path: watch_film(path, self.detector) for _, path in tqdm(paths, desc="track", disable=None)}
        neutral: dict[tuple[str, str], np.ndarray] = {}
        for person, path in tqdm(paths, desc="hear", disable=None):
            key = (person, path.parent.name)
            if key not in neutral:
                same = [watched[other].landmarks for who, other in paths if (who, other.parent.name) == key]
                neutral[key] = neutral_face(same)
            film = watched[path]
            if film.fps == FPS:
                motion = fit_motion(film.landmarks, self.rig, size=film.size, fps=FPS, neutral=neutral[key])
                yield self._heard(path, person, filled(film.landmarks), motion)

    def _heard(self, path: Path, person: str, landmarks: np.ndarray, motion: FaceMotion) -> TalkingFilm:
        sound = load_sound(path)
        spoken = speak(sound, self.emote, SpeakRequest())
        features = AudioFeatures(sound, self.encoder, fps=FPS, window=self.window)
        frames = min(len(motion), len(spoken), features.frames)
        heard = features.frame_features(0, frames).half().cpu()
        return TalkingFilm(path, person, landmarks[:frames], motion[:frames], spoken[:frames], heard)


def with_mouth(motion: FaceMotion, other: FaceMotion) -> FaceMotion:
    """A motion with the mouth of another."""
    return motion.with_curves({name: other.curve(name) for name in MOUTH})


def as_used(motion: FaceMotion, spoken: FaceMotion, rng: np.random.Generator) -> FaceMotion:
    """The motion of a guide as the finished network gets it: the mouth is emote-mini's."""
    return with_mouth(motion, spoken)


def wrong(motion: FaceMotion, spoken: FaceMotion, rng: np.random.Generator) -> FaceMotion:
    """The motion of a guide: head, gaze, brows and lids are right, the mouth is not."""
    source = spoken if rng.random() < SPOKEN else motion
    late = int(rng.integers(1, 3)) if rng.random() < LATE else 0
    frames = np.maximum(np.arange(len(motion)) - late, 0)
    size = rng.uniform(*AMPLITUDE)
    curves = {}
    for name in MOUTH:
        noise = gaussian(rng.standard_normal((len(motion), 1)), 2.0)[:, 0]
        noise = noise / max(float(noise.std()), 1e-6)
        curves[name] = source.curve(name)[frames] * size * (1 + UNEVEN * noise)
    return motion.with_curves(curves)


def faster(motion: FaceMotion, factor: float) -> FaceMotion:
    """The same with a head that moves more or less."""
    return replace(
        motion,
        rotation=(motion.rotation * factor).astype(np.float32),
        translation=(motion.translation * factor).astype(np.float32),
    )
