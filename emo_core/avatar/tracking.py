"""From films of a person to a track: follow, choose, steady, cut, listen.

Films are read twice. The first reading follows all faces and keeps no picture; then the person, the light and the framing are known,
and the second reading cuts the squares. So memory grows with the pictures of the person alone.

Shape legend: F frames of a stretch, N frames of the track, S side of the squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..face.alignment import Aligned
from ..face.detect import FaceDetector
from ..face.rig import FaceRig
from .films import find_films
from .hearing import hear
from .light import MOST, in_other_light
from .motion import motion_of, neutral_of
from .pictures import MAX_SIDE
from .reading import Progress, Reader
from .report import LeftOut, Report, describe
from .squares import SquarePath, common_ratio, face_places, plan_squares
from .steady import CHUNK, placed, steady
from .stretches import SIDEWAYS, Piece, Stretch, choose_person, cut_pieces, fault_of, stretch_of
from .takes import FPS
from .track import Track
from .watching import WatchedFilm

LEAST_SIDE = 64
"""Pixels of a square."""
LEAST_SECONDS = 2.0
"""Of frames with the face, without which nothing can be learnt."""


def track_person(
    sources: Sequence[Path],
    detector: FaceDetector,
    rig: FaceRig,
    *,
    size: int = 256,
    start: float = 0.0,
    max_seconds: float | None = None,
    progress: Progress | None = None,
) -> tuple[Track, Report]:
    """Find and follow one person in films of any length, rate, size and orientation.

    Args:
        sources: films, or folders of films.
        detector: one that gives landmarks.
        rig: whose coefficients are fitted.
        size: S.
        start: second of each film at which reading begins.
        max_seconds: length that is read of all films together, at most.
        progress: takes the number of frames that are read, and of those that will be: each film is read twice.

    Raises:
        InputError: if a film is missing, nobody is seen for two seconds, or nothing is heard.
        Cancelled: if `progress` raises it.
    """
    if not LEAST_SIDE <= size <= MAX_SIDE:
        raise InputError(f"size: got {size}; expected {LEAST_SIDE} .. {MAX_SIDE} pixels (256 or 512 are usual)")
    reader = Reader(find_films(sources), start=start, max_seconds=max_seconds, progress=progress)
    films = reader.watch_all(detector)
    pieces, cuts = cut_pieces(films)
    stretches, left_out = _stretches_of_person(films, pieces)
    heard = hear(films, stretches)
    left_out += [LeftOut(path.name, 0.0, 0.0, reason) for path, reason in reader.broken]
    left_out += [LeftOut(path.name, at, seconds, "damaged from there on") for path, at, seconds in reader.cut_off]
    steadied = [steady(stretch.landmarks) for stretch in stretches]
    points, shown = [one.points for one in steadied], [stretch.shown for stretch in stretches]
    neutral = neutral_of(points, shown)
    squares = _plan(films, stretches, steadied, neutral, size)
    landmarks, shown = _in_squares(steadied, squares), np.concatenate(shown)
    by_take = np.split(landmarks, np.cumsum([len(one) for one in points])[:-1])
    track = Track(
        pictures=reader.cut_all(films, stretches, squares),
        landmarks=landmarks,
        shown=shown,
        motion=motion_of(by_take, points, shown, neutral, rig, size),
        neutral=neutral,
        takes=heard.takes,
        size=size,
    )
    return track, describe(track, films, stretches, squares, heard, tuple(left_out), cuts)


def _stretches_of_person(films: Sequence[WatchedFilm], pieces: Sequence[Piece]) -> tuple[list[Stretch], list[LeftOut]]:
    """The stretches to learn from, and what is left out.

    Raises:
        InputError: if they are too short.
    """
    if not pieces:
        frames = sum(film.stop - film.first for film in films)
        raise InputError(
            f"films: no face is found in {frames} frames ({frames / FPS:.1f} s); give a film of a face from the front"
        )
    mine, others = choose_person(pieces)
    left_out = [_left_out(films, stretch_of(piece, films[piece.film]), "another person") for piece in others]
    stretches = [stretch_of(piece, films[piece.film]) for piece in mine]
    tilted = bool(np.median(np.abs(np.concatenate([one.roll for one in stretches]))) > SIDEWAYS)
    faults = [fault_of(one) for one in stretches]
    left_out += [_left_out(films, one, fault) for one, fault in zip(stretches, faults, strict=True) if fault]
    stretches, tinted = _of_one_light([one for one, fault in zip(stretches, faults, strict=True) if not fault])
    left_out += [_left_out(films, one, "another light or white balance") for one in tinted]
    usable = sum(int(stretch.shown.sum()) for stretch in stretches) / FPS
    if usable < LEAST_SECONDS and tilted:
        raise InputError("films: the person lies on the side in them; turn the films upright, and save them again")
    if usable < LEAST_SECONDS:
        raise InputError(
            f"films: one person is seen for {usable:.1f} s without breaks; expected at least {LEAST_SECONDS:g} s (3 minutes are "
            "good); give a longer film of a face from the front"
        )
    return stretches, left_out


def _left_out(films: Sequence[WatchedFilm], stretch: Stretch, reason: str) -> LeftOut:
    return LeftOut(films[stretch.film].source.path.name, stretch.first / FPS, stretch.frames / FPS, reason)


def _of_one_light(stretches: list[Stretch]) -> tuple[list[Stretch], list[Stretch]]:
    """The stretches in the light of most, and the others if they are few; if they are many, all are kept."""
    if not stretches:
        return [], []
    frames = np.array([one.frames for one in stretches])
    other = in_other_light(np.stack([one.colour for one in stretches]), frames)
    if frames[other].sum() > MOST * frames.sum():
        return stretches, []
    return (
        [one for one, is_other in zip(stretches, other, strict=True) if not is_other],
        [one for one, is_other in zip(stretches, other, strict=True) if is_other],
    )


def _plan(
    films: Sequence[WatchedFilm],
    stretches: Sequence[Stretch],
    aligned: Sequence[Aligned],
    neutral: np.ndarray,
    size: int,
) -> list[SquarePath]:
    """The square of each stretch, of one ratio to the face in all."""
    places = [face_places(one, neutral) for one in aligned]
    pictures = [films[one.film].size for one in stretches]
    ratio = common_ratio(
        np.concatenate([height for _, height in places]),
        np.repeat(np.array(pictures), [one.frames for one in stretches], axis=0),
    )
    return [
        plan_squares(middle, height, ratio, size=size, picture=picture)
        for (middle, height), picture in zip(places, pictures, strict=True)
    ]


def _in_squares(steadied: Sequence[Aligned], squares: Sequence[SquarePath]) -> np.ndarray:
    """(N, 478, 3) float32 landmarks of all takes in pixels of their squares."""
    landmarks, place = np.empty((sum(len(one.points) for one in steadied), 478, 3), np.float32), 0
    for one, path in zip(steadied, squares, strict=True):
        for first in range(0, len(one.points), CHUNK):
            part = path.inside(placed(one, first, first + CHUNK), first)
            landmarks[place : place + len(part)] = part
            place += len(part)
    return landmarks
