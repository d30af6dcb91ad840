"""From followed faces to stretches of one person, before their pictures are cut.

Shape legend: F frames of a stretch, N frames of a run.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..face.alignment import align
from ..smoothing import interpolated
from .cuts import find_cuts
from .people import group_people
from .steady import CHUNK
from .takes import FPS
from .watching import Run, WatchedFilm

SHORTEST_RUN = 8
"""Frames that a face is found, at least; less is a mistake of the detector."""
SHORTEST = FPS
"""Frames of a stretch, at least."""
MOSTLY = 0.5
"""Share of its frames that are shown, at least."""
PROFILE = 50.0
"""Turn of the head to the side in degrees from which landmarks are not trusted."""
SIDEWAYS = 45.0
"""Tilt of the head in degrees from which it lies on its side."""
OUTSIDE = 0.04
"""Share of the landmarks that may lie outside the picture."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One person in F successive frames of a film."""

    film: int
    """Number of the film."""
    first: int
    """Number of its first frame in the film."""
    landmarks: np.ndarray
    """(F, 478, 3) float32 pixels of the film; interpolated where the face is not found."""
    shown: np.ndarray
    """(F,) bool, see `Track.shown`."""
    yaw: np.ndarray
    """(F,) degrees that the head is turned to the side."""
    roll: np.ndarray
    """(F,) degrees that it is tilted."""
    colour: np.ndarray
    """(3,) mean of the face, 0 .. 255."""
    clipped: float
    """Share of the face's pixels that are black or white."""

    @property
    def frames(self) -> int:
        """F."""
        return len(self.landmarks)

    @property
    def stop(self) -> int:
        """Number of the frame after its last in the film."""
        return self.first + self.frames


@dataclass(frozen=True, slots=True)
class Piece:
    """A run, or the part of it between two cuts."""

    film: int
    run: Run
    begins: bool
    """Whether it begins at a cut."""
    ends: bool
    """Whether it ends at a cut."""

    @property
    def frames(self) -> int:
        """Frames in which the face is found."""
        return len(self.run.numbers)

    @property
    def look(self) -> np.ndarray:
        """(L,) mean of its looks."""
        return self.run.looks.mean(0)


def cut_pieces(films: Sequence[WatchedFilm]) -> tuple[list[Piece], int]:
    """All runs of all films, cut at the cuts, and the number of cuts. Runs of a few frames are left out."""
    pieces, count = [], 0
    for number, film in enumerate(films):
        cuts = find_cuts(film.change, film.runs, film.first)
        count += len(cuts)
        for run in film.runs:
            first, stop = int(run.numbers[0]), int(run.numbers[-1]) + 1
            inner = [int(cut) for cut in cuts if first < cut < stop]
            edges = [first, *inner, stop]
            for start, end in itertools.pairwise(edges):
                part = run.part(start, end)
                if len(part.numbers) >= SHORTEST_RUN and len(part.looks):
                    pieces.append(Piece(number, part, start in cuts, end in cuts))
    return pieces, count


def choose_person(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """The pieces of the person who is the largest face in most frames, in the order of the films, and those of all others.

    Of two faces in one picture, one only is the person: the one whose look is nearer to the person's mean.
    """
    people = group_people(np.stack([piece.look for piece in pieces]), np.array([piece.frames for piece in pieces]))
    seen = np.bincount(people, [float(piece.run.largest.sum()) + piece.frames / 1e4 for piece in pieces])
    mine = [piece for piece, person in zip(pieces, people, strict=True) if person == seen.argmax()]
    others = [piece for piece, person in zip(pieces, people, strict=True) if person != seen.argmax()]
    mean = sum(piece.frames * piece.look for piece in mine)
    kept: list[Piece] = []
    for piece in sorted(mine, key=lambda piece: -float(piece.look @ mean) / float(np.linalg.norm(piece.look))):
        taken = any(_together(piece, other) for other in kept)
        (others if taken else kept).append(piece)
    return sorted(kept, key=lambda piece: (piece.film, int(piece.run.numbers[0]))), others


def _together(a: Piece, b: Piece) -> bool:
    """Whether two pieces share time of one film."""
    if a.film != b.film:
        return False
    return bool(a.run.numbers[0] <= b.run.numbers[-1] and b.run.numbers[0] <= a.run.numbers[-1])


def stretch_of(piece: Piece, film: WatchedFilm) -> Stretch:
    """A piece with all its frames: those in which the face is not found are interpolated."""
    run = piece.run
    first, stop = int(run.numbers[0]), int(run.numbers[-1]) + 1
    places = np.arange(first, stop)
    landmarks = interpolated(run.landmarks, run.numbers, places)
    yaw, roll = _turns(landmarks)
    shown = np.isin(places, run.numbers) & (np.abs(yaw) < PROFILE) & (np.abs(roll) < SIDEWAYS)
    shown &= _outside(landmarks, film.size) <= OUTSIDE
    # Beside a cut pictures are often mixed; where a face comes or goes it is seen in part.
    shown[0] &= first == film.first and not piece.begins
    shown[-1] &= stop == film.stop and not piece.ends
    return Stretch(piece.film, first, landmarks, shown, yaw, roll, run.colour.mean(0), float(run.clipped.mean()))


def fault_of(stretch: Stretch) -> str:
    """Why a stretch is left out; empty if it is not."""
    if stretch.frames < SHORTEST:
        return "less than a second without a break"
    if stretch.shown.mean() < MOSTLY:
        return "turned away, lying, or cut off by the picture's edge"
    return ""


def _turns(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,) degrees that the head turns to the side, and (F,) that it is tilted."""
    parts = [align(landmarks[first : first + CHUNK]).rotation for first in range(0, len(landmarks), CHUNK)]
    turns = np.concatenate(parts)
    yaw, roll = np.arctan2(turns[:, 0, 2], turns[:, 2, 2]), np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
    return np.rad2deg(yaw), np.rad2deg(roll)


def _outside(landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(F,) share of the landmarks outside a picture."""
    points = landmarks[..., :2]
    return ((points < 0) | (points > np.array(size))).any(-1).mean(1)
