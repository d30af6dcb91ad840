"""Generated videos, true ones and controls -> every number of every video, and of the set."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..face.detect import FaceDetector
from ..trainer.measure import agreement
from .measures import Numbers, against, alone, frechet, inside, of_set, with_sound
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
    detector: FaceDetector,
    *,
    clip_frames: int = 0,
    region: Region | None = None,
) -> Judged:
    """Watch and compare.

    Args:
        made_files: generated videos by name.
        true_files: true ones; those without a generated one are left out, and the other way round. May be empty.
        other_files: the same portraits generated from another clip's sound; may be empty.
        detector: one that gives landmarks, and blendshapes if they are to be compared.
        clip_frames: f of the model, for seams; 0 for none.
        region: the face region that was asked for.

    Raises:
        InputError: for a video that cannot be read.
    """
    names = [name for name in made_files if not true_files or name in true_files]
    made, true, other = [], [], {}
    for name in tqdm(names, desc="watch", unit="video", disable=None):
        made.append(observe(made_files[name], detector))
        fps = made[-1].fps
        if true_files:
            true.append(observe(true_files[name], detector, fps))
        if name in other_files:
            other[name] = observe(other_files[name], detector, fps)
    rows = {}
    for index, video in enumerate(made):
        rows[video.name] = alone(video, clip_frames=clip_frames)
        rows[video.name]["envelope_correlation_other_sound"] = _with_other_sounds(index, made)
        if region is not None:
            rows[video.name]["centres_inside_region"] = inside(video, region)
        if true:
            rows[video.name] |= _compared(video, other.get(video.name), index, true)
    middle = medians(list(rows.values())) | _coverage(list(rows.values()))
    summary = {f"Medians of {len(made)} videos": middle, "The set": of_set(list(rows.values()))}
    if true:
        truth = [alone(video, clip_frames=clip_frames) for video in true]
        summary["The set"]["blendshape_frechet"] = frechet(*(expressions(videos) for videos in (made, true)))
        summary["The true videos"] = medians(truth)
        summary["The true videos, as a set"] = of_set(truth)
    return Judged(made, true, rows, summary)


def expressions(videos: Sequence[Observed]) -> np.ndarray:
    """(F, 52) blendshapes of all frames with a face; (0, 0) where there are none. A video without any face has no columns."""
    seen = [video.blendshapes for video in videos if video.blendshapes.shape[1]]
    return np.concatenate(seen) if seen else np.zeros((0, 0))


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
    others = itertools.islice(_others(index, videos), CONTROLS)
    scores = [with_sound(videos[index], other.loud) for other in others]
    return _median([score for score in scores if score is not None])


def _others(index: int, videos: Sequence[Observed]) -> itertools.chain:
    return itertools.chain(videos[index + 1 :], videos[:index])


def _median(scores: list[float]) -> float | None:
    known = [score for score in scores if np.isfinite(score)]
    return float(np.median(known)) if known else None
