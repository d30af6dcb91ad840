"""Drawn talking heads, and a detector that finds exactly the drawn face: videos with known results."""

from pathlib import Path

import numpy as np
import soundfile

from emo_core.face.detect import Face
from emo_core.media.video_writer import VideoWriter

SIDE, FPS = 128, 25
CHIN, BROW = 90, 50
"""Rows."""
SKIN, HAIR, LIPS = (200, 170, 150), (60, 40, 30), (255, 0, 0)


def picture(
    opening: float, shift: int = 0, background: int = 90, noise: np.random.Generator | None = None
) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: hair, face and shoulders at a shift to the right, a mouth open by a share of 0 to 1."""
    image = np.full((SIDE, SIDE, 3), background, np.uint8)
    image[34:CHIN, 38 + shift : 90 + shift] = HAIR
    image[CHIN + 4 :, 24 + shift : 104 + shift] = HAIR
    image[BROW:CHIN, 44 + shift : 84 + shift] = SKIN
    if noise is not None:
        image[BROW : BROW + 16, 44 + shift : 84 + shift] = noise.integers(0, 255, (16, 40, 1))
    height = 2 + round(16 * opening)
    image[70 : 70 + height, 56 + shift : 72 + shift] = LIPS
    return image


class DrawnFaceDetector:
    """A `FaceDetector` for drawn pictures."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """The drawn face; none in a picture without red lips."""
        red = (image[..., 0].astype(int) - image[..., 1]) > 120
        if not red.any():
            return []
        rows, columns = np.nonzero(red.any(1))[0], np.nonzero(red.any(0))[0]
        middle = (columns[0] + columns[-1] + 1) / 2
        points = np.random.default_rng(0).uniform((-18, BROW + 1), (18, CHIN - 1), (478, 2))
        points[[10, 152]] = (0, BROW), (0, CHIN)
        points[[234, 454]] = (-20, 70), (20, 70)
        points[[33, 263]] = (-10, 60), (10, 60)
        points[[13, 14]] = (0, rows[0]), (0, rows[-1] + 1)
        return [Face.of_mesh(np.pad(points, ((0, 0), (0, 1))) + np.array([middle, 0, 0]))]


def film(file: Path, pictures: list[np.ndarray], sound: np.ndarray | None = None) -> Path:
    """Write a video."""
    flac = file.with_suffix(".flac")
    file.parent.mkdir(parents=True, exist_ok=True)
    if sound is not None:
        soundfile.write(flac, sound, 16000)
    size = pictures[0].shape[1::-1]
    with VideoWriter(file, fps=FPS, size=size, sound=None if sound is None else flac) as writer:
        for one in pictures:
            writer.write(one)
    flac.unlink(missing_ok=True)
    return file


def curve(seed: int, frames: int = 50) -> np.ndarray:
    """(F,) a mouth that opens and closes, 0 to 1."""
    return np.repeat(np.random.default_rng(seed).uniform(0, 1, frames // 3 + 1), 3)[:frames]


def voice(opening: np.ndarray) -> np.ndarray:
    """A sound that is loud where the mouth is open."""
    samples = 16000 // FPS
    tone = np.sin(2 * np.pi * 440 * np.arange(len(opening) * samples) / 16000)
    return 0.5 * np.repeat(opening, samples) * tone
