"""The face detector's training pictures: people placed before synthetic scenes, with the boxes of their faces.

A few people before one studio wall must stand for all faces and places, so everything is varied: place, size, tilt, build,
colours, background, medium. Some pictures have no face, some have several.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from einops import rearrange

from emo_core.face.box import Box
from emo_core.face.detector_view import GREY

from . import appearance as looks
from .subjects import Sitter, draw_sitters
from .warp import Placement, face_coordinates, render

SMALLEST, LARGEST = 0.085, 1.0
"""Height of a face over the side of its picture."""
DRAWN, SCENES = 300, 400
"""Numbers of cartoon people and of backgrounds, which are drawn once and reused."""
COUNTS = (0.18, 0.67, 0.11, 0.04)
"""Chances of 0, 1, 2 and 3 faces."""
CARTOON, MIXED, AT_HOME, DRESSED = 0.14, 0.3, 0.15, 0.6
"""Chances that a sitter is drawn, is a mixture of two people, is left before the own background, gets other clothes."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training picture."""

    picture: np.ndarray
    """(S, S, 3) uint8."""
    boxes: tuple[Box, ...]
    """Of all its faces, in pixels."""


class Studio:
    """Makes training pictures from sitters."""

    def __init__(self, people: dict[str, list[Sitter]], size: int, rng: np.random.Generator) -> None:
        """Draw cartoon people and backgrounds.

        Args:
            people: pictures per source; all sources come equally often.
            size: side of the pictures.
            rng: for the drawing.
        """
        self.people, self.size = list(people.values()), size
        self.drawn = list(draw_sitters(DRAWN, rng))
        self.scenes = [looks.background(rng, 2 * size) for _ in range(SCENES)]

    def example(self, rng: np.random.Generator) -> Example:
        """A random picture."""
        return _Composition(self, rng).example()


class _Composition:
    """One picture in the making."""

    def __init__(self, studio: Studio, rng: np.random.Generator) -> None:
        self._people, self._size, self._rng = studio.people, studio.size, rng
        self._drawn, self._scenes = studio.drawn, studio.scenes

    def example(self) -> Example:
        """Compose it."""
        rng, count = self._rng, self._rng.choice(len(COUNTS), p=COUNTS)
        picture, boxes = self._scene(), []
        at_home = count == 1 and rng.random() < AT_HOME
        for place in self._places(count):
            picture = self._seat(picture, place, at_home=at_home)
            boxes.append(place.box)
        if count == 0 and rng.random() < 0.6:
            picture = self._faceless(picture)
        if count and rng.random() < 0.25:
            picture = self._cover(picture, boxes)
        picture = self._bars(looks.finish(picture, rng), boxes)
        return Example(np.ascontiguousarray(picture), tuple(boxes))

    def _scene(self) -> np.ndarray:
        """Part of a background, of any zoom."""
        rng, scene = self._rng, self._scenes[self._rng.integers(len(self._scenes))]
        side = int(rng.integers(self._size // 2, 2 * self._size))
        left, top = rng.integers(0, 2 * self._size - side + 1, 2)
        part = scene[top : top + side, left : left + side][:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        part = cv2.resize(part, (self._size, self._size), interpolation=cv2.INTER_LINEAR)
        return looks.recolour(part, rng) if rng.random() < 0.5 else part

    def _places(self, count: int) -> list[Placement]:
        """Room for some faces that do not hide each other, the highest first: bodies below cover those above."""
        rng, size = self._rng, self._size
        largest = LARGEST if count == 1 else 0.55
        places: list[Placement] = []
        for _ in range(20):
            if len(places) == count:
                break
            height = size * float(np.exp(rng.uniform(np.log(SMALLEST), np.log(largest))))
            reach = max(0.0, size / 2 - 0.4 * height)
            centre = rng.uniform(-reach, reach, 2) + size / 2
            if rng.random() < 0.3:
                centre = size / 2 + rng.normal(0, 0.07 * size, 2)
            place = Placement.random(rng, height, tuple(centre), rng.uniform(0.72, 0.9))
            around = place.box.expand(1.5)
            if all(around.overlap(other.box.expand(1.5)) == 0 for other in places):
                places.append(place)
        return sorted(places, key=lambda place: place.y)

    def _sitter(self) -> Sitter:
        rng = self._rng
        if rng.random() < CARTOON:
            return self._drawn[rng.integers(len(self._drawn))]
        pictures = self._people[rng.integers(len(self._people))]
        return pictures[rng.integers(len(pictures))]

    def _seat(self, picture: np.ndarray, place: Placement, *, at_home: bool) -> np.ndarray:
        """Put a person into the picture."""
        rng, sitter = self._rng, self._sitter()
        person = render(sitter, place, self._size)
        if not sitter.drawn and rng.random() < MIXED:
            share = rng.uniform(0.25, 0.75)
            other = render(self._sitter(), replace(place, flip=not place.flip), self._size)
            person = cv2.addWeighted(person, share, other, 1 - share, 0)
        colours = looks.recolour(person[..., :3], rng) if rng.random() < 0.6 else person[..., :3]
        if rng.random() < 0.35:
            colours = self._dye(colours, place)
        if rng.random() < 0.2:
            colours = self._beard(colours, place)
        if at_home and not sitter.drawn:
            return colours
        mask = person[..., 3].astype(np.float32) / 255
        if rng.random() < DRESSED:
            clothes = self._clothes(place)
            colours, mask = looks.mix(colours, self._stuff(), clothes), np.maximum(mask, clothes)
        return looks.mix(picture, colours, mask)

    def _clothes(self, place: Placement) -> np.ndarray:
        """(S, S) float32: where shoulders and clothes are."""
        rng = self._rng
        u, v = face_coordinates(place, self._size)
        neck, slope, wide, flare = rng.uniform((1.25, 0.05, 1.6, -0.1), (1.9, 0.3, 3.0, 0.3)).astype(np.float32)
        return np.clip(6 * np.minimum(v - neck - slope * u * u, wide - np.abs(u) + flare * (v - 1)), 0, 1)

    def _dye(self, colours: np.ndarray, place: Placement) -> np.ndarray:
        """Other hair and clothes: everything but the face gets another colour; the skin's makes a bald head."""
        rng = self._rng
        u, v = face_coordinates(place, self._size)
        outside = np.clip(2.5 * (np.hypot(u, v + np.float32(0.1)) - 1), 0, 1)
        bald = rng.random() < 0.3
        if bald:
            outside = np.minimum(outside, np.clip(4 * (1.7 - np.hypot(1.3 * u, v)), 0, 1)) * (v < 0)
        face = colours[np.hypot(u, v) < 0.7]
        stuff = np.median(face, 0) if bald and len(face) else self._stuff()
        return looks.mix(colours, stuff, outside * np.float32(rng.uniform(0.4, 1)))

    def _beard(self, colours: np.ndarray, place: Placement) -> np.ndarray:
        """Hair on the jaw and over the mouth."""
        rng = self._rng
        u, v = face_coordinates(place, self._size)
        jaw = np.clip(5 * (v - rng.uniform(0.2, 0.6) + rng.uniform(-0.3, 0.3) * np.abs(u)), 0, 1) * (np.hypot(u, v) < 1)
        mouth = np.hypot(u / 0.33, (v - 0.5) / 0.14) > 1
        colour = rng.uniform(0, 1) * np.array([150, 110, 80]) * rng.uniform(0.5, 1.3, 3)
        return looks.mix(colours, colour, jaw * mouth * np.float32(rng.uniform(0.3, 0.95)))

    def _stuff(self) -> np.ndarray:
        """A texture for cloth or hair: a pattern (S, S, 3), or one colour (3,)."""
        rng = self._rng
        return self._scene() if rng.random() < 0.5 else rng.uniform(0, 255) * rng.uniform(0.5, 1, 3)

    def _faceless(self, picture: np.ndarray) -> np.ndarray:
        """No face: a person whose face is hidden, or beyond the picture's edge, or in pieces."""
        rng, size, kind = self._rng, self._size, self._rng.integers(4)
        height, centre = size * rng.uniform(0.15, 0.7), rng.uniform(0.2, 0.8, 2) * size
        if kind == 0:
            height = size * rng.uniform(0.3, 2)
            centre = np.array([rng.uniform(0, size), -0.55 * height])
        if kind == 1:
            height = size * rng.uniform(0.4, 0.9)  # Larger than any piece.
        place = Placement.random(rng, height, tuple(centre), 0.8)
        person = render(self._sitter(), place, size)
        seen = looks.mix(picture, person[..., :3], person[..., 3] / 255)
        if kind == 1:
            return _jumble(seen, rng)
        u, v = face_coordinates(place, size)
        return looks.mix(seen, self._stuff(), np.clip(4 * (rng.uniform(1.1, 1.4) - np.hypot(u, v)), 0, 1))

    def _cover(self, picture: np.ndarray, boxes: list[Box]) -> np.ndarray:
        """Hats, hands, scarves: something that hides a part of a face."""
        rng, picture = self._rng, picture.copy()
        for box in boxes:
            angle = rng.uniform(0, 2 * np.pi)
            if rng.random() < 0.5:
                angle = -np.pi / 2 + rng.normal(0, 0.3)
            radii = (box.width * rng.uniform(0.2, 0.8), box.height * rng.uniform(0.15, 0.6))
            away = rng.uniform(0.85, 1.1)
            x = box.centre[0] + np.cos(angle) * (box.width * 0.5 * away + radii[0] * 0.7)
            y = box.centre[1] + np.sin(angle) * (box.height * 0.5 * away + radii[1] * 0.7)
            colour = tuple(int(value) for value in rng.integers(0, 256, 3))
            sizes = tuple(max(1, round(radius)) for radius in radii)
            cv2.ellipse(picture, (round(x), round(y)), sizes, rng.uniform(-20, 20), 0, 360, colour, -1, cv2.LINE_AA)
        return picture

    def _bars(self, picture: np.ndarray, boxes: list[Box]) -> np.ndarray:
        """Grey edges, as pictures get them that are not square; a face in them is gone, so it is left alone."""
        rng, size = self._rng, self._size
        if rng.random() > 0.4:
            return picture
        first, second = (int(value) for value in rng.uniform(0, 0.25, 2) * size)
        upright = bool(rng.random() < 0.7)
        low = min((box.left if upright else box.top for box in boxes), default=size)
        high = max((box.right if upright else box.bottom for box in boxes), default=0)
        first, second = min(first, max(0, int(low))), min(second, max(0, int(size - high)))
        picture = picture.copy()
        view = picture.transpose(1, 0, 2) if upright else picture
        view[:first], view[size - second :] = GREY, GREY
        return picture


def _jumble(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut into tiles, and put together in another order."""
    tiles = int(rng.choice([4, 8, 16]))
    parts = rearrange(picture, "(a h) (b w) c -> (a b) h w c", a=tiles, b=tiles)
    return rearrange(rng.permutation(parts), "(a b) h w c -> (a h) (b w) c", a=tiles)
