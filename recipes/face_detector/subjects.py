"""People for the face detector's training pictures: cut out of a dataset's frames, or drawn.

Shape legend: S side of the square, in pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from emo_core.dataset.shards import Dataset, read_clips
from emo_core.face.box import Box

EVERY = 6
"""Frames between two that are taken: neighbours are alike."""
EYES = 0.33
"""Height of the eyes in MediaPipe's face box, from its top, as a share of it (GRID, mean)."""
DRAWN_SIDE = 256


@dataclass(frozen=True, slots=True)
class Sitter:
    """A person in front of a background, with a mask to cut the person out."""

    picture: np.ndarray
    """(S, S, 4) uint8: red, green, blue, and 255 where the person is."""
    box: Box
    """The face, in pixels."""
    drawn: bool = False


def sitters_of(dataset: Dataset, split: str) -> dict[str, list[Sitter]]:
    """Every few frames of a split, by source."""
    people: dict[str, list[Sitter]] = {}
    cut_out = _Scissors()
    for clip in read_clips(dataset, split):
        frames, boxes = clip.pictures()[::EVERY], clip.labels.boxes[::EVERY]
        for frame, box in zip(frames, boxes, strict=True):
            place = Box(*(float(edge) * frame.shape[0] for edge in box))
            sitter = Sitter(np.dstack([frame, cut_out(frame, place)]), place)
            people.setdefault(clip.speaker, []).append(sitter)
    return people


class _Scissors:
    """MediaPipe's person segmentation where it is at hand, else a head-and-shoulders shape."""

    def __init__(self) -> None:
        try:
            from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation
        except ImportError:
            self._segment = None
        else:
            self._segment = SelfieSegmentation(model_selection=0)

    def __call__(self, frame: np.ndarray, face: Box) -> np.ndarray:
        """(S, S) uint8."""
        if self._segment is not None:
            mask = self._segment.process(np.ascontiguousarray(frame)).segmentation_mask
            return (np.clip(mask * 1.4 - 0.2, 0, 1) * 255).astype(np.uint8)
        mask = np.zeros(frame.shape[:2], np.uint8)
        x, y = face.centre
        head = (round(x), round(y - 0.08 * face.height)), (round(0.68 * face.width), round(0.75 * face.height))
        body = (round(x), round(y + 1.9 * face.height)), (round(1.5 * face.width), round(1.25 * face.height))
        for centre, radii in (head, body):
            cv2.ellipse(mask, centre, radii, 0, 0, 360, 255, -1)
        return cv2.GaussianBlur(mask, (0, 0), 0.04 * face.height)


def draw_sitters(count: int, rng: np.random.Generator) -> Iterator[Sitter]:
    """Cartoon people: flat or shaded, of any colour."""
    for _ in range(count):
        yield _Drawing(rng).sitter()


class _Drawing:
    """One cartoon person; lengths are shares of half the head's width unless said otherwise."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.canvas = np.zeros((DRAWN_SIDE, DRAWN_SIDE, 4), np.uint8)
        self.unit = rng.uniform(34, 46)
        self.tall = rng.uniform(1.15, 1.6)
        self.eyes = rng.uniform(-0.05, 0.25)
        odd = rng.random() < 0.2
        self.skin = rng.integers(30, 255, 3) if odd else _skin(rng)
        self.hair = rng.integers(0, 255, 3) * rng.uniform(0.1, 1)

    def sitter(self) -> Sitter:
        """Draw it all, from back to front."""
        self._body()
        self._head()
        for side in (-1, 1):
            self._eye(side)
        self._nose_and_mouth()
        picture = self.canvas
        if self.rng.random() < 0.6:
            picture = cv2.GaussianBlur(picture, (0, 0), self.rng.uniform(0.6, 2.5))
        top = self.eyes - EYES / (1 - EYES) * (self.tall - self.eyes)
        centre = DRAWN_SIDE / 2
        left, top, right, bottom = (centre + self.unit * edge for edge in (-1.0, top, 1.0, self.tall))
        return Sitter(picture, Box(left, top, right, bottom), drawn=True)

    def _body(self) -> None:
        cloth, neck = self.rng.integers(0, 255, 3), self.rng.uniform(0.3, 0.6)
        if self.rng.random() < 0.6:
            length = self.rng.uniform(0.2, 1.8)
            self._ellipse((0, length - 0.3), (self.rng.uniform(1.0, 1.4), length + 1.2), self.hair)
        self._ellipse((0, self.tall + 2.2), (self.rng.uniform(1.6, 2.4), 1.8), cloth)
        self._box(-neck, 0.5, neck, self.tall + 0.8, self.skin * 0.85)

    def _head(self) -> None:
        rng = self.rng
        if rng.random() < 0.7:
            for side in (-1, 1):
                self._ellipse((side * 1.0, self.eyes + 0.2), (0.2, 0.3), self.skin * 0.9)
        if rng.random() < 0.8:
            self._ellipse((0, -0.35), (rng.uniform(1.02, 1.3), self.tall * rng.uniform(0.85, 1.05)), self.hair)
        self._ellipse((0, 0), (1, self.tall), self.skin)
        jaw = rng.uniform(0.3, 0.8)
        self._ellipse((0, self.tall - jaw), (rng.uniform(0.5, 0.85), jaw), self.skin)
        if rng.random() < 0.75:
            line = self.eyes - rng.uniform(0.45, 0.9)
            self._ellipse((rng.uniform(-0.4, 0.4), line - 0.6), (rng.uniform(0.9, 1.2), 0.6), self.hair)
        if rng.random() < 0.7:
            self._shade()

    def _shade(self) -> None:
        """Light from one side, over what is drawn so far."""
        ramp = np.linspace(self.rng.uniform(0.4, 1), self.rng.uniform(0.8, 1.3), DRAWN_SIDE)
        ramp = ramp[:, None] if self.rng.random() < 0.3 else ramp[None, :: self.rng.choice([-1, 1])]
        self.canvas[..., :3] = np.clip(self.canvas[..., :3] * ramp[..., None], 0, 255)

    def _eye(self, side: int) -> None:
        rng = np.random.default_rng(int(self.unit * 1e6))  # Both eyes are alike.
        x, wide, high = side * rng.uniform(0.36, 0.5), rng.uniform(0.14, 0.32), rng.uniform(0.06, 0.3)
        dark, iris = rng.integers(0, 70, 3), rng.integers(0, 200, 3)
        if rng.random() < 0.8:
            self._ellipse((x, self.eyes), (wide + 0.03, high + 0.04), self.skin * 0.6)
            self._ellipse((x, self.eyes), (wide, high), np.full(3, rng.uniform(200, 255)))
            size = min(wide, high) * rng.uniform(0.7, 1.1)
            self._ellipse((x, self.eyes), (size, size), iris)
            self._ellipse((x, self.eyes), (size / 2, size / 2), dark)
            self._ellipse((x - size / 3, self.eyes - size / 3), (size / 4, size / 4), np.full(3, 255))
        else:
            self._ellipse((x, self.eyes), (wide * 0.7, high * 0.7), dark)
        brow, tilt = self.eyes - high - rng.uniform(0.12, 0.25), rng.uniform(-0.12, 0.12) * side
        self._line((x - wide, brow + tilt), (x + wide, brow - tilt), self.hair * 0.8, rng.uniform(0.03, 0.12))
        if rng.random() < 0.15:
            radii = (round(0.4 * self.unit), round(rng.uniform(0.25, 0.4) * self.unit))
            cv2.ellipse(self.canvas, self._at(x, self.eyes), radii, 0, 0, 360, _ink(dark), 2, cv2.LINE_AA)
            self._line((0, self.eyes), (side * 0.1, self.eyes), dark, 0.05)

    def _nose_and_mouth(self) -> None:
        rng, below = self.rng, self.tall - self.eyes
        nose, mouth = self.eyes + below * rng.uniform(0.35, 0.5), self.eyes + below * rng.uniform(0.58, 0.72)
        shade = self.skin * rng.uniform(0.6, 0.9)
        if rng.random() < 0.5:
            self._ellipse((0, nose), (rng.uniform(0.08, 0.22), rng.uniform(0.05, 0.14)), shade)
        else:
            self._line((0.05, self.eyes + 0.1), (rng.uniform(-0.2, 0.2), nose), shade, 0.06)
        lip, wide = np.array([rng.uniform(100, 220), rng.uniform(30, 120), rng.uniform(30, 120)]), rng.uniform(0.2, 0.5)
        if rng.random() < 0.5:
            self._ellipse((0, mouth), (wide, rng.uniform(0.06, 0.2)), lip)
            self._line((-wide * 0.8, mouth), (wide * 0.8, mouth), lip * 0.4, 0.04)
        else:
            radii = (round(wide * self.unit), round(rng.uniform(0.02, 0.25) * self.unit))
            start = 0 if rng.random() < 0.7 else 180
            cv2.ellipse(self.canvas, self._at(0, mouth), radii, 0, start, start + 180, _ink(lip * 0.6), 2, cv2.LINE_AA)
        if rng.random() < 0.15:
            self._line((-wide, mouth - 0.15), (wide, mouth - 0.15), self.hair, rng.uniform(0.08, 0.2))

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(DRAWN_SIDE / 2 + x * self.unit), round(DRAWN_SIDE / 2 + y * self.unit)

    def _ellipse(self, centre: tuple[float, float], radii: tuple[float, float], colour: np.ndarray) -> None:
        size = tuple(max(1, round(radius * self.unit)) for radius in radii)
        cv2.ellipse(self.canvas, self._at(*centre), size, 0, 0, 360, _ink(colour), -1, cv2.LINE_AA)

    def _box(self, left: float, top: float, right: float, bottom: float, colour: np.ndarray) -> None:
        cv2.rectangle(self.canvas, self._at(left, top), self._at(right, bottom), _ink(colour), -1)

    def _line(self, start: tuple, stop: tuple, colour: np.ndarray, thick: float) -> None:
        width = max(1, round(thick * self.unit))
        cv2.line(self.canvas, self._at(*start), self._at(*stop), _ink(colour), width, cv2.LINE_AA)


def _ink(colour: np.ndarray) -> tuple[int, int, int, int]:
    return (*(int(value) for value in np.clip(colour, 0, 255)), 255)


def _skin(rng: np.random.Generator) -> np.ndarray:
    dark, light = np.array([70, 40, 25]), np.array([250, 215, 190])
    return dark + rng.uniform(0, 1) * (light - dark)
