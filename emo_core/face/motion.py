"""A moving face without a person: what speech makes, film gives, a portrait wears and a file exports.

Shape legend: F frames, K coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .coefficients import GAZE_DEGREES, NAMES
from .rotation import rotation_matrices, rotation_vectors

MAX_FPS = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMotion:
    """Expression, gaze and head pose of every frame."""

    coefficients: np.ndarray
    """(F, K) float32, 0 .. 1; each column belongs to a name."""
    rotation: np.ndarray
    """(F, 3) float32 rotation vector of the head from its rest pose, in degrees: x right, y up, z to the camera."""
    translation: np.ndarray
    """(F, 3) float32 shift of the head from its rest place on the same axes, in distances of the outer eye corners."""
    fps: float
    names: tuple[str, ...] = NAMES
    """Of the columns: ARKit's."""

    def __post_init__(self) -> None:
        """Raise InputError for values that are no motion."""
        frames = len(self.coefficients)
        shapes = (self.coefficients.shape, self.rotation.shape, self.translation.shape)
        if shapes != ((frames, len(self.names)), (frames, 3), (frames, 3)) or not frames:
            raise InputError(
                f"face motion: got coefficients {shapes[0]}, rotation {shapes[1]} and translation {shapes[2]}; expected "
                f"(F, {len(self.names)}), (F, 3) and (F, 3) with at least one frame"
            )
        if not all(np.isfinite(part).all() for part in (self.coefficients, self.rotation, self.translation)):
            raise InputError("face motion: some values are not finite numbers; make or save the motion again")
        if not 1 <= self.fps <= MAX_FPS:
            raise InputError(f"face motion: got {self.fps:g} fps; expected 1 .. {MAX_FPS:g}")
        if len(set(self.names)) != len(self.names):
            raise InputError("face motion: a coefficient has two columns; expected each name once")

    @classmethod
    def still(cls, frames: int, fps: float) -> FaceMotion:
        """A neutral face that looks into the camera."""
        zeros = np.zeros((frames, 3), np.float32)
        return cls(coefficients=np.zeros((frames, len(NAMES)), np.float32), rotation=zeros, translation=zeros, fps=fps)

    def __len__(self) -> int:
        """F."""
        return len(self.coefficients)

    def __getitem__(self, frames: slice | np.ndarray) -> FaceMotion:
        """A range of frames, or those of some numbers (F,)."""
        return self._with(self.coefficients[frames], self.rotation[frames], self.translation[frames])

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self) / self.fps

    def curve(self, name: str) -> np.ndarray:
        """(F,) one coefficient; zeros if the motion does not have it."""
        if name in self.names:
            return self.coefficients[:, self.names.index(name)]
        return np.zeros(len(self), np.float32)

    def curves(self, names: Sequence[str] = NAMES) -> np.ndarray:
        """(F, K) coefficients in the order of `names`."""
        if tuple(names) == self.names:
            return self.coefficients
        return np.stack([self.curve(name) for name in names], axis=1)

    def with_curves(self, curves: Mapping[str, np.ndarray]) -> FaceMotion:
        """Replace coefficients by name: each (F,), limited to 0 .. 1. Names that the motion lacks are added."""
        names = (*self.names, *(name for name in curves if name not in self.names))
        values = np.array(self.curves(names))
        for name, curve in curves.items():
            values[:, names.index(name)] = np.clip(curve, 0, 1)
        return replace(self, coefficients=values.astype(np.float32), names=names)

    @property
    def gaze(self) -> np.ndarray:
        """(F, 2) degrees that the eyes turn: to the right of the picture, and up; from the eyeLook coefficients."""
        right = (self.curve("eyeLookOutLeft") - self.curve("eyeLookInLeft")) / 2
        right = right + (self.curve("eyeLookInRight") - self.curve("eyeLookOutRight")) / 2
        up = sum(self.curve(f"eyeLookUp{side}") - self.curve(f"eyeLookDown{side}") for side in ("Left", "Right")) / 2
        return np.stack([right, up], axis=1) * GAZE_DEGREES

    def with_gaze(self, degrees: np.ndarray) -> FaceMotion:
        """Turn both eyes by (F, 2) degrees, see `gaze`."""
        right, up = (np.asarray(degrees).T / GAZE_DEGREES).astype(np.float32)
        curves = {"eyeLookOutLeft": right, "eyeLookInRight": right, "eyeLookInLeft": -right, "eyeLookOutRight": -right}
        curves |= {
            f"eyeLook{way}{side}": sign * up for way, sign in (("Up", 1), ("Down", -1)) for side in ("Left", "Right")
        }
        return self.with_curves(curves)

    def from_frame(self, frame: int) -> FaceMotion:
        """The same motion, with the head's pose relative to that of a frame."""
        turns = rotation_matrices(self.rotation)
        rotation = rotation_vectors(turns @ turns[frame].T).astype(np.float32)
        return replace(self, rotation=rotation, translation=self.translation - self.translation[frame])

    def resampled(self, fps: float) -> FaceMotion:
        """The same motion at another frame rate, interpolated at the middle of each frame."""
        if fps == self.fps:
            return self
        frames = max(1, round(self.seconds * fps))
        place = (np.arange(frames) + 0.5) * self.fps / fps - 0.5
        parts = (_interpolated(part, place) for part in (self.coefficients, self.rotation, self.translation))
        return replace(self._with(*parts), fps=fps)

    def _with(self, coefficients: np.ndarray, rotation: np.ndarray, translation: np.ndarray) -> FaceMotion:
        return replace(self, coefficients=coefficients, rotation=rotation, translation=translation)


def concatenated(motions: Sequence[FaceMotion]) -> FaceMotion:
    """Motions one after another, at the frame rate of the first.

    Raises:
        InputError: if there is none.
    """
    if not motions:
        raise InputError("face motion: got no motion to join; give at least one")
    names = motions[0].names
    names = (*names, *sorted({name for motion in motions for name in motion.names} - set(names)))
    motions = [motion.resampled(motions[0].fps) for motion in motions]
    return FaceMotion(
        coefficients=np.concatenate([motion.curves(names) for motion in motions]),
        rotation=np.concatenate([motion.rotation for motion in motions]),
        translation=np.concatenate([motion.translation for motion in motions]),
        fps=motions[0].fps,
        names=names,
    )


def _interpolated(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(F, K) at fractional frames, the ends repeated."""
    frames = np.arange(len(values))
    return np.stack([np.interp(place, frames, column) for column in values.T], axis=1).astype(np.float32)
