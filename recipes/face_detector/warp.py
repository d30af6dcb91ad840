"""Where a sitter's face goes in a training picture: size, turn, build and expression, with the box that results.

Everything is written in face coordinates u, v, which are -1 .. 1 in the face's box: changes of build keep the edges
of the box where they are, so that the label stays exact.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from emo_core.face.box import Box

from .subjects import Sitter

EYE_X, EYE_Y = 0.42, -0.34
"""Centres of the eyes in face coordinates (GRID, mean)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a face lies, and how it differs from the sitter's."""

    x: float
    """Pixels: the face's centre."""
    y: float
    width: float
    """Pixels, before the head is tilted."""
    height: float
    tilt: float = 0.0
    """Radians clockwise."""
    flip: bool = False
    turn: tuple[float, float] = (0.0, 0.0)
    """Shift of the middle of the face, right and down, the outline unmoved: -0.35 .. 0.35."""
    eyes: float = 0.0
    """Enlarges (above 0) or shrinks the eyes, up to 0.5."""
    waves: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Amplitude and phase of the unevenness across and down the face."""
    outside: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Size of what is beside, above and below the face."""

    @property
    def box(self) -> Box:
        """Around the tilted face, which is taken as an ellipse."""
        cosine, sine = np.cos(self.tilt), np.sin(self.tilt)
        half_width = np.hypot(self.width * cosine, self.height * sine) / 2
        half_height = np.hypot(self.width * sine, self.height * cosine) / 2
        return Box(self.x - half_width, self.y - half_height, self.x + half_width, self.y + half_height)

    @classmethod
    def random(cls, rng: np.random.Generator, height: float, centre: tuple[float, float], aspect: float) -> "Placement":
        """A random build; `aspect` is the width of the sitter's face over its height."""
        tilt = np.deg2rad(np.clip(rng.normal(0, 13), -40, 40))
        strong = rng.random() < 0.5
        return cls(
            x=centre[0],
            y=centre[1],
            width=height * aspect * float(np.clip(rng.normal(1, 0.09), 0.8, 1.25)),
            height=height,
            tilt=float(tilt),
            flip=bool(rng.random() < 0.5),
            turn=(float(np.clip(rng.normal(0, 0.13), -0.35, 0.35)), float(np.clip(rng.normal(0, 0.08), -0.25, 0.25))),
            eyes=float(rng.uniform(-0.2, 0.5)) * strong,
            waves=(rng.normal(0, 0.02), rng.uniform(0, 6.3), rng.normal(0, 0.02), rng.uniform(0, 6.3)),
            outside=(rng.uniform(0.6, 1.4), rng.uniform(0.4, 1.5), rng.uniform(0.7, 1.4)),
        )


def render(sitter: Sitter, place: Placement, size: int) -> np.ndarray:
    """The sitter as placed.

    Args:
        sitter: person and mask.
        place: in pixels of the result.
        size: side of the result.

    Returns:
        (size, size, 4) uint8; beside the sitter's edges, its border goes on, and below, the body.
    """
    picture, box = sitter.picture, sitter.box
    shrink = box.height / place.height
    scale = 1.0
    # Halve until less than two pixels become one: sampling then does not alias.
    while shrink * scale > 2 and min(picture.shape[:2]) > 16:
        picture, scale = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), scale / 2
    u, v = face_coordinates(place, size)
    u, v = _build(u, v, place)
    if place.flip:
        u = -u
    x, y = box.centre
    down, beyond = _fold((y + v * box.height / 2) * scale - 0.5, box.bottom * scale, picture.shape[0] - 1)
    across = (x + u * box.width / 2 / (1 + 0.5 * beyond)) * scale - 0.5
    return cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _fold(down: np.ndarray, chin: float, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows below the last one go back up towards the neck, so that a body goes on as cloth.

    Returns:
        rows, and how far below they were, in units of that way.
    """
    way = np.float32(max(2.0, 0.7 * (last - chin)))
    beyond = np.maximum(down - last, 0) / way
    return np.minimum(down, last) - way * np.minimum(beyond, 0.6), np.minimum(beyond, 2)


def face_coordinates(place: Placement, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(size, size) float32 each: u and v of every pixel, -1 .. 1 in the untilted box."""
    line = np.arange(size, dtype=np.float32) + 0.5
    x, y = (line - place.x)[None], (line - place.y)[:, None]
    cosine, sine = np.float32(np.cos(place.tilt)), np.float32(np.sin(place.tilt))
    return (cosine * x + sine * y) * np.float32(2 / place.width), (cosine * y - sine * x) * np.float32(2 / place.height)


def _build(u: np.ndarray, v: np.ndarray, place: Placement) -> tuple[np.ndarray, np.ndarray]:
    """From the picture's face coordinates to the sitter's; -1 and 1 stay in place."""
    inner_u, inner_v = np.clip(u, -1, 1), np.clip(v, -1, 1)
    room = (1 - inner_u**2) * (1 - inner_v**2)
    beside, above, below = place.outside
    amount_u, phase_u, amount_v, phase_v = place.waves
    new_u = inner_u - place.turn[0] * (1 - inner_u**2) + amount_u * np.sin(4 * inner_v + phase_u) * room
    new_v = inner_v - place.turn[1] * (1 - inner_v**2) + amount_v * np.sin(4 * inner_u + phase_v) * room
    if place.eyes:
        for side in (-EYE_X, EYE_X):
            du, dv = new_u - side, new_v - EYE_Y
            near = place.eyes * np.exp(-(du**2 + dv**2) / 0.06)
            new_u, new_v = new_u - near * du, new_v - near * dv
    new_u = new_u + (u - inner_u) / np.float32(beside)
    rest = v - inner_v
    return (new_u.astype(np.float32), (new_v + np.where(rest < 0, rest / above, rest / below)).astype(np.float32))
