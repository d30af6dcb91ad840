"""People who are made of numbers: real voices, a mouth that follows them in its own way, a head that turns, lids that blink."""

import numpy as np

from emo_core.avatar.heard import Hearing
from emo_core.avatar.pictures import PicturesWriter
from emo_core.avatar.takes import FPS, SAMPLES, Take
from emo_core.avatar.track import Track
from emo_core.face.coefficients import BLINK, NAMES
from emo_core.face.motion import FaceMotion
from emo_core.media.sound import Sound

WIDER = 1.6
"""How far the person opens the jaw over the content model."""
LID = np.interp(np.arange(9), [0, 2, 4, 5, 8], [0, 0.4, 1, 0.9, 0])


def own_way(content: np.ndarray, names: tuple[str, ...], seed: int = 0) -> np.ndarray:
    """(F, K) of the person for the content model's: a wide jaw, a smile with it, and what no sound tells."""
    curves, rng = content.copy(), np.random.default_rng(seed)
    jaw = names.index("jawOpen")
    curves[:, jaw] = WIDER * content[:, jaw]
    for side in ("Left", "Right"):
        curves[:, names.index(f"mouthSmile{side}")] = 0.1 + 0.5 * content[:, jaw]
    noise = np.apply_along_axis(
        np.convolve, 0, rng.normal(0, 0.03, (len(curves) + 4, len(names))), np.ones(5) / 5, "valid"
    )
    return np.clip(curves + noise, 0, 1)


def person(sounds, emote, *, blinks=(), speed=1.0, seed=0) -> Track:
    """A track with one take for each sound; `blinks` are frames of the track in which lids begin to close."""
    rng, parts, takes, first = np.random.default_rng(seed), [], [], 0
    names = emote.config.curves
    for number, sound in enumerate(sounds):
        frames = len(sound.waveform) // SAMPLES
        sound = Sound(sound.waveform[: frames * SAMPLES])
        hearing = Hearing(sound, emote)
        mouth = own_way(hearing.take(0, frames).content, names, number)
        time = (first + np.arange(frames)) / FPS
        waves = [[rng.uniform(0.1, 0.9), rng.uniform(0, 6)] for _ in range(6)]
        turn = [
            sum(np.sin(2 * np.pi * pace * time + phase) for pace, phase in waves[axis : axis + 3]) for axis in range(3)
        ]
        curves = dict(zip(names, mouth.T, strict=True)) | {"browInnerUp": 0.2 + 0.2 * np.sin(time)}
        still = FaceMotion.still(frames, FPS).with_curves(curves)
        parts.append((still.curves(NAMES), speed * np.stack(turn, axis=1), 0.01 * np.stack(turn, axis=1)))
        takes.append(Take(f"take {number}", first, frames, sound))
        first += frames
    coefficients, rotation, translation = (
        np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True)
    )
    for frame in blinks:
        for lid in BLINK:
            coefficients[frame : frame + len(LID), NAMES.index(lid)] = LID
    writer = PicturesWriter()
    for _ in range(first):
        writer.add(np.zeros((8, 8, 3), np.uint8))
    motion = FaceMotion(coefficients=coefficients, rotation=rotation, translation=translation, fps=FPS)
    neutral = emote.rig.mean
    return Track(
        pictures=writer.done(),
        landmarks=np.zeros((first, 478, 3), np.float32),
        shown=np.ones(first, bool),
        motion=motion,
        neutral=neutral,
        takes=tuple(takes),
        size=8,
    )


def cut(sound: Sound, start: float, stop: float) -> Sound:
    """Seconds of a sound."""
    return Sound(sound.waveform[round(start * FPS) * SAMPLES : round(stop * FPS) * SAMPLES])
