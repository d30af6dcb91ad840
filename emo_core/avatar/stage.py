"""The pictures on which an avatar's mouth is drawn: a stretch of film to replay, and a key frame to move.

Shape legend: T frames of the stretch at 25 fps, S side of the square in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError
from ..face.coefficients import NAMES
from ..face.motion import FaceMotion
from ..face.mouth import mouth_opening
from ..smoothing import gaussian
from .pictures import Pictures
from .takes import FPS
from .track import Track

SECONDS = 24.0
"""Length of the stretch, at most."""
MEGABYTES = 12.0
"""Size of its pictures, at most."""
POSE_WEIGHT, LID_WEIGHT, OPEN_WEIGHT = 0.05, 1.0, 8.0
"""Cost of a key frame: for each degree from the usual pose, for shut lids, and for the opening over the face's height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Real frames of the person. The last one is the key frame; the others are replayed."""

    pictures: Pictures
    """T + 1 squares."""
    landmarks: np.ndarray
    """(T + 1, 478, 3) float32 pixels of the squares."""
    motion: FaceMotion
    """T + 1 frames."""
    masks: Pictures | None = None
    """T + 1 small grey squares: white where the person is; None if nothing told person and background apart."""

    @property
    def replayed(self) -> int:
        """T."""
        return len(self.pictures) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays for a file."""
        arrays = dict(zip(("pictures", "ends"), self.pictures.arrays(), strict=True))
        if self.masks is not None:
            arrays |= dict(zip(("masks", "mask_ends"), self.masks.arrays(), strict=True))
        return arrays | {
            "landmarks": self.landmarks.astype(np.float32),
            "coefficients": self.motion.curves(NAMES).astype(np.float32),
            "rotation": self.motion.rotation,
            "translation": self.motion.translation,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Stage:
        """Check and read what `arrays` gave.

        Raises:
            CheckpointError: if it is no stage.
        """
        try:
            pictures = Pictures.from_arrays(arrays["pictures"], arrays["ends"])
            masks = Pictures.from_arrays(arrays["masks"], arrays["mask_ends"]) if "masks" in arrays else None
            stage = cls(
                pictures=pictures,
                landmarks=np.asarray(arrays["landmarks"], np.float32),
                motion=FaceMotion(
                    coefficients=arrays["coefficients"],
                    rotation=arrays["rotation"],
                    translation=arrays["translation"],
                    fps=FPS,
                ),
                masks=masks,
            )
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"avatar: its frames cannot be used ({error}); copy or train the avatar again"
            ) from error
        count = len(pictures)
        whole = stage.landmarks.shape == (count, 478, 3) and np.isfinite(stage.landmarks).all()
        if count < 2 or not whole or len(stage.motion) != count or (masks is not None and len(masks) != count):
            raise CheckpointError("avatar: its frames are incomplete; copy or train the avatar again")
        return stage


def choose_stage(track: Track) -> Stage:
    """Choose the calmest stretch of one take, and the frame that shows the face at rest."""
    first, last = _stretch(track)
    chosen = np.append(np.arange(first, last), _key_frame(track))
    return Stage(pictures=track.pictures.chosen(chosen), landmarks=track.landmarks[chosen], motion=track.motion[chosen])


def there_and_back(start: int, count: int, frames: int) -> np.ndarray:
    """Numbers (count,) of replayed frames from place `start` on: forward to the last of `frames`, and back, without end."""
    if frames == 1:
        return np.zeros(count, np.int64)
    place = np.arange(start, start + count) % (2 * frames - 2)
    return np.where(place < frames, place, 2 * frames - 2 - place)


def _stretch(track: Track) -> tuple[int, int]:
    """First frame, and the frame after the last: the longest run without a lost frame, and its calmest part."""
    size = len(track.pictures.data) / len(track)
    longest = int(min(SECONDS * FPS, MEGABYTES * 2**20 / size))
    runs = [(start, stop) for _, start, stop in track.runs()]
    length = min(longest, max(stop - start for start, stop in runs))
    restless = np.concatenate([[0.0], np.cumsum(_turned(track))])
    starts = [first for start, stop in runs for first in range(start, stop - length + 1)]
    first = min(starts, key=lambda first: restless[first + length] - restless[first])
    return first, first + length


def _key_frame(track: Track) -> int:
    """The frame with closed lips, open eyes and the usual pose."""
    motion = track.motion
    lids = np.maximum(motion.curve("eyeBlinkLeft"), motion.curve("eyeBlinkRight"))
    cost = OPEN_WEIGHT * mouth_opening(track.landmarks) + LID_WEIGHT * lids + POSE_WEIGHT * _turned(track)
    cost = gaussian(cost[:, None], 1.0)[:, 0]  # A rest, not a moment of a movement.
    return int(np.argmin(np.where(track.shown, cost, np.inf)))


def _turned(track: Track) -> np.ndarray:
    """(N,) degrees of every frame from the usual pose."""
    rotation = track.motion.rotation
    return np.linalg.norm(rotation - np.median(rotation[track.shown], axis=0), axis=1)
