"""Small films from real clips: cut, joined, put side by side, at any rate."""

from pathlib import Path

import numpy as np

from emo_core.media.sound_track import WaveTrack
from emo_core.media.video_reader import frames_at, open_source, sound_of
from emo_core.media.video_writer import VideoWriter

RATE = 16_000


def pictures_of(path: Path, fps: float = 25) -> list[np.ndarray]:
    """All frames (H, W, 3) uint8."""
    return [picture for _, picture in frames_at(open_source(path), fps)]


def waveform_of(path: Path) -> np.ndarray:
    """(S,) at 16 kHz, from the first frame on."""
    return sound_of(open_source(path))


def film(path: Path, pictures: list[np.ndarray], sound: np.ndarray | None = None, fps: float = 25) -> Path:
    """Write a film; the sound (S,) at 16 kHz begins with the first frame."""
    track = None if sound is None else WaveTrack(np.asarray(sound, np.float32)[None], RATE)
    with VideoWriter(path, fps=fps, size=pictures[0].shape[1::-1], sound=track) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


def fitted(pictures: list[np.ndarray], size: tuple[int, int]) -> list[np.ndarray]:
    """The middle of each picture, or with repeated borders, as (width, height)."""
    width, height = size
    result = []
    for picture in pictures:
        rows, columns = picture.shape[:2]
        y, x = (
            (np.arange(length) + (have - length) // 2).clip(0, have - 1)
            for length, have in ((height, rows), (width, columns))
        )
        result.append(picture[y[:, None], x[None]])
    return result
