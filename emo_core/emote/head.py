"""Head motion at the speed that is asked, within limits.

Shape legend: F frames.
"""

import numpy as np

from ..face.pose import head_speed
from ..face.rotation import rotation_matrices

LIMIT = 15.0
"""Degrees."""
SHIFT_LIMIT = 0.25
"""Of the translation, in distances of the outer eye corners."""
ROUNDS = 5
RAMP = 50
"""Frames in which one block's scale goes over into the next one's."""
RANGE = (0.4, 2.5)
"""Limits of a block's scale over that of the whole bank, so that pauses stay calmer than speech."""


def mean_speed(rotation: np.ndarray, smooth: float = 1.5) -> float:
    """Degrees per frame of rotation vectors (F, 3), as `face.pose.head_speed` measures them."""
    poses = np.tile(np.eye(4), (len(rotation), 1, 1))
    poses[:, :3, :3] = rotation_matrices(rotation)
    return float(head_speed(poses, smooth).mean())


def limited(values: np.ndarray, limit: float) -> np.ndarray:
    """(F, 3) whose length bends smoothly towards a limit; small ones stay as they are."""
    size = np.linalg.norm(values, axis=1, keepdims=True)
    knee = 0.6 * limit
    over = np.maximum(size - knee, 0)
    bent = np.where(size > knee, knee + (limit - knee) * np.tanh(over / (limit - knee)), size)
    return values * bent / np.maximum(size, 1e-9)


class SpeedControl:
    """Scales blocks of motion one after another."""

    def __init__(self, natural: float) -> None:
        """`natural` is the bank's mean speed in degrees per frame."""
        self._natural, self._scale = max(natural, 1e-6), 1.0
        self._started = False

    def scaled(self, rotation: np.ndarray, translation: np.ndarray, speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One block's rotation and translation (F, 3) at the wanted degrees per frame (F,)."""
        wanted = float(speed.mean())
        if wanted <= 0:
            return np.zeros_like(rotation), np.zeros_like(translation)
        scale = 1 / max(mean_speed(rotation), 1e-6)
        low, high = RANGE[0] / self._natural, RANGE[1] / self._natural
        for _ in range(ROUNDS):
            scale = float(np.clip(scale, low, high))
            factor = self._factor(scale, len(rotation))[:, None] * speed[:, None]
            turned = limited(rotation * factor, LIMIT)
            scale *= float(np.clip(wanted / max(mean_speed(turned), 1e-6), 0.5, 2.0))
        self._scale, self._started = float(np.clip(scale, low, high)), True
        return turned, limited(translation * factor, SHIFT_LIMIT)

    def _factor(self, scale: float, frames: int) -> np.ndarray:
        if not self._started:
            return np.full(frames, scale)
        way = np.clip(np.arange(1, frames + 1) / RAMP, 0, 1)
        way = way * way * (3 - 2 * way)
        return self._scale + (scale - self._scale) * way
