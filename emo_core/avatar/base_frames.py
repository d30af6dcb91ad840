"""The frames under an avatar's drawn mouth: replayed film, or the key frame moved by the motion.

Shape legend: F frames of a block, S side of the square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..face.coefficients import MOUTH
from ..face.crop import Crop
from ..face.motion import FaceMotion
from ..face.rig import FaceRig
from ..portrait.prepare import PreparedPortrait
from ..portrait.render import PortraitRenderer
from .matting import enlarged
from .stage import Stage, there_and_back


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseBlock:
    """F frames whose mouth is still the film's."""

    pictures: np.ndarray
    """(F, S, S, 3) uint8"""
    landmarks: np.ndarray
    """(F, 478, 3) pixels of the squares."""
    motion: FaceMotion
    """Of the face in the pictures."""
    masks: np.ndarray | None
    """(F, S, S) float32, 1 for the person; None if nobody asked for them."""


class BaseFrames(Protocol):
    """Frames for a motion, block after block."""

    def take(self, motion: FaceMotion) -> BaseBlock:
        """The frames of the next part of a motion."""
        ...


class ReplayedFrames:
    """The film as it was, forward and back; the motion gives the mouth alone."""

    def __init__(self, stage: Stage, *, start: int = 0, masks: bool = False) -> None:
        """Begin at a frame of the stretch; `masks` if they are needed."""
        self._stage, self._place, self._masks = stage, start, masks

    def take(self, motion: FaceMotion) -> BaseBlock:
        """See `BaseFrames`."""
        stage, count = self._stage, len(motion)
        chosen = there_and_back(self._place, count, stage.replayed)
        self._place += count
        pictures = np.stack([stage.pictures[number] for number in chosen])
        masks = np.stack([stage.masks[number] for number in chosen]) if self._masks else None
        return BaseBlock(
            pictures=pictures,
            landmarks=stage.landmarks[chosen],
            motion=stage.motion[chosen],
            masks=None if masks is None else enlarged(masks, pictures.shape[1]),
        )


class MovedFrames:
    """The key frame, moved by the motion as a portrait is; its lips stay as they were."""

    def __init__(self, stage: Stage, rig: FaceRig, *, masks: bool = False) -> None:
        """Prepare the key frame; `masks` if they are needed."""
        key = stage.replayed
        picture = stage.pictures[key]
        self._renderer = PortraitRenderer(_portrait(picture, stage.landmarks[key]), rig, None)
        self._masks = None
        if masks:
            side = picture.shape[0]
            grey = np.round(enlarged(stage.masks[key][None], side)[0] * 255).astype(np.uint8)
            mask = np.repeat(grey[..., None], 3, axis=2)
            self._masks = PortraitRenderer(_portrait(mask, stage.landmarks[key]), rig, None)

    def take(self, motion: FaceMotion) -> BaseBlock:
        """See `BaseFrames`."""
        closed = motion.with_curves({name: np.zeros(len(motion)) for name in MOUTH})
        masks = None
        if self._masks is not None:
            masks = np.stack(list(self._masks.frames(closed)))[..., 0].astype(np.float32) / 255
        return BaseBlock(
            pictures=np.stack(list(self._renderer.frames(closed))),
            landmarks=self._renderer.place(closed).face.astype(np.float32),
            motion=closed,
            masks=masks,
        )


def _portrait(picture: np.ndarray, landmarks: np.ndarray) -> PreparedPortrait:
    side = picture.shape[0]
    crop = Crop(0, 0, side, side, picture=(side, side))
    return PreparedPortrait(picture, landmarks.astype(np.float64), side, crop)
