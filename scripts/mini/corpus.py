"""What the emo-mini training scripts share: the arrays of `prepare`, the held-out clips, the face boxes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HELD_OUT_EVERY = 20
"""Every 20th clip is never trained on."""
MOUTH = (61, 291, 0, 17, 13, 14)
"""Landmarks: mouth corners, outer lips, inner lips."""


@dataclass(frozen=True)
class Corpus:
    """Arrays over C clips of T frames; see `scripts.mini.prepare` for shapes."""

    names: list[str]
    frames: np.ndarray
    landmarks: np.ndarray
    audio: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Map the arrays into memory, without the clips that could not be prepared."""
        names = json.loads((folder / "names.json").read_text())
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("frames", "landmarks", "audio")]
        return cls(names, *arrays)

    def split(self) -> tuple[list[int], list[int]]:
        """Indices of training and held-out clips; clips with a missing face are in neither."""
        whole = [
            i for i, name in enumerate(self.names) if name is not None and np.isfinite(self.landmarks[i, :, :2]).all()
        ]
        held_out = [i for i in whole if i % HELD_OUT_EVERY == 0]
        return [i for i in whole if i % HELD_OUT_EVERY], held_out

    def mouth_centre(self, clip: int) -> np.ndarray:
        """(T, 2) pixels."""
        return self.landmarks[clip][:, MOUTH, :2].mean(1)

    def mouth_opening(self, clip: int) -> np.ndarray:
        """(T,) distance of the inner lips over the height of the face."""
        points = self.landmarks[clip][:, :, :2]
        lips = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)
        return lips / np.linalg.norm(points[:, 10] - points[:, 152], axis=-1)
