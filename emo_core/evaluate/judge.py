"""Generated videos, true ones and controls -> every number of every video, and of the set."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..trainer.measure import agreement
from ..trainer.sync import lag
from .landmarks import Landmarker
from .measures import Numbers, against, alone, inside, of_set
from .observe import Observed, observe

CONTROLS = 8
"""Other videos that each one is compared with, for the floor."""
Region = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found."""

    made: list[Observed]
    true: list[Observed]
    """In the order of `made`; empty where there are none."""
    rows: dict[str, Numbers]
    """Numbers of every video."""
    summary: dict[str, Numbers]
    """Numbers by heading."""


def judge(
    made_files: Mapping[str, Path],
    true_files: Mapping[str, Path],
    other_files: Mapping[str, Path],
    landmarker: Landmarker,
    *,
    clip_frames: int = 0,
    region: Region | None = None,
) -> Judged:
    """Watch and compare.

    Args:
        made_files: generated videos by name.
        true_files: true ones; those without a generated one are left out, and the other way round. May be empty.
        other_files: the same portraits generated from another clip's sound; may be empty.
        landmarker: finds faces.
        clip_frames: f of the model, for seams; 0 for none.
        region: the face region that was asked for.

    Raises:
        InputError: for a video that cannot be read.
    """
    names = [name for name in made_files if not true_files or name in true_files]
    made, true, other = [], [], {}
    for name in tqdm(names, desc="watch", unit="video", disable=None):
        made.append(observe(made_files[name], landmarker))
        fps = made[-1].fps
        if true_files:
            true.append(observe(true_files[name], landmarker, fps))
        if name in other_files:
            other[name] = observe(other_files[name], landmarker, fps)
    rows = {}
    for index, video in enumerate(made):
        rows[video.name] = alone(video, clip_frames=clip_frames)
        rows[video.name]["envelope_correlation_other_sound"] = _with_other_sounds(index, made)
        if region is not None:
            rows[video.name]["centres_inside_region"] = inside(video, region)
        if true:
            rows[video.name] |= _compared(video, other.get(video.name), index, true)
    middle = medians(list(rows.values())) | _coverage(list(rows.values()))
    summary = {f"Medians of {len(made)} videos": middle, "The set": of_set(made, true)}
    if true:
        summary["The true videos"] = medians([alone(video, clip_frames=clip_frames) for video in true])
        summary["The true videos, as a set"] = of_set(true, [])
    return Judged(made, true, rows, summary)


def medians(rows: Sequence[Numbers]) -> Numbers:
    """Median of every number over the videos that have it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    found = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
    return {name: float(np.median(values)) if values else None for name, values in found.items()}


def _coverage(rows: Sequence[Numbers]) -> Numbers:
    """What medians hide: the worst video, and how many could not be scored at all."""
    unscored = sum("opening_correlation" in row and row["opening_correlation"] is None for row in rows)
    return {"face_found_worst": min(row["face_found"] for row in rows), "mouths_not_scored": float(unscored)}


def _compared(video: Observed, other: Observed | None, index: int, true: Sequence[Observed]) -> Numbers:
    numbers = against(video, true[index])
    if other is not None:
        numbers["opening_correlation_other_sound"] = against(other, true[index])["opening_correlation"]
    scores = []
    for one in itertools.islice(_others(index, true), CONTROLS):
        count = min(one.frames, true[index].frames)
        scores.append(agreement(one.opening[:count], true[index].opening[:count]))
    return numbers | {"floor_true_against_true": _median(scores)}


def _with_other_sounds(index: int, videos: Sequence[Observed]) -> float | None:
    """Median agreement of the mouth with the loudness of other videos' sounds: what rhythm alone gives."""
    video = videos[index]
    known = video.found
    if known.mean() <= 0.9:
        return None
    opening = np.interp(np.arange(video.frames), np.nonzero(known)[0], video.opening[known])
    scores = []
    for other in itertools.islice(_others(index, videos), CONTROLS):
        count = min(video.frames, len(other.loud))
        if count > video.fps:
            scores.append(lag(opening[:count], other.loud[:count], video.fps)[2])
    return _median(scores)


def _others(index: int, videos: Sequence[Observed]) -> itertools.chain:
    return itertools.chain(videos[index + 1 :], videos[:index])


def _median(scores: list[float]) -> float | None:
    known = [score for score in scores if np.isfinite(score)]
    return float(np.median(known)) if known else None
