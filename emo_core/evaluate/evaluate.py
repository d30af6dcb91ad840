"""Generated videos, true ones and controls -> every number of every video, and of the set."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..face.detect import FaceDetector
from ..metrics.observation import Observed, observe
from ..metrics.video_metrics import Numbers, against, alone, frechet, inside, mouths, of_set, with_sound
from .files import Files

CONTROLS = 8
"""Other videos that each one is compared with, for the floor."""
Region = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Watched:
    """What belongs together."""

    made: Observed
    true: Observed | None = None
    other: Observed | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found."""

    videos: list[Watched]
    rows: dict[str, Numbers]
    """Numbers of every generated video."""
    true_rows: dict[str, Numbers]
    """Of every true one by itself."""
    summary: dict[str, Numbers]
    """Numbers by heading."""
    notes: list[str]
    """Lines that say what is missing, and why."""

    @property
    def made(self) -> list[Observed]:
        """The generated videos."""
        return [video.made for video in self.videos]

    @property
    def true(self) -> list[Observed]:
        """The true ones in the same order; empty where there are none."""
        return [video.true for video in self.videos if video.true is not None]


def evaluate_videos(
    files: Files, detector: FaceDetector, *, clip_frames: int = 0, region: Region | None = None
) -> Evaluation:
    """Watch and compare. A video that cannot be read is left out with a note.

    Args:
        files: the videos.
        detector: one that gives landmarks, and blendshapes if they are to be compared.
        clip_frames: f of the model, for seams; 0 for none.
        region: the face region that was asked for.

    Raises:
        InputError: where no video can be read.
    """
    notes = _unmatched(files)
    videos = list(_watch(files, detector, notes))
    if not videos:
        raise InputError(f"generated: none of {len(files.made)} videos can be judged; " + "; ".join(notes))
    judged = Evaluation(videos, {}, {}, {}, notes)
    made, true = judged.made, judged.true
    for index, video in enumerate(made):
        row = alone(video, clip_frames=clip_frames)
        row["envelope_correlation_other_sound"] = _with_other_sounds(index, made)
        if region is not None:
            row["centres_inside_region"] = inside(video, region)
        if true:
            row |= _compared(videos[index], index, true)
            judged.true_rows[video.name] = alone(true[index], clip_frames=clip_frames)
        judged.rows[video.name] = row
    rows, truth = list(judged.rows.values()), list(judged.true_rows.values())
    judged.summary[f"Medians of {len(made)} videos"] = medians(rows) | _coverage(rows)
    judged.summary["The set"] = of_set(rows)
    if true:
        judged.summary["The set"]["blendshape_frechet"] = frechet(*(expressions(videos) for videos in (made, true)))
        judged.summary["The true videos"] = medians(truth)
        judged.summary["The true videos, as a set"] = of_set(truth)
    notes.extend(_missing(judged))
    return judged


def _watch(files: Files, detector: FaceDetector, notes: list[str]) -> Iterator[Watched]:
    names = [name for name in files.made if not files.true or name in files.true]
    for name in tqdm(names, desc="watch", unit="video", disable=None):
        try:
            made = observe(files.made[name], detector)
            true = observe(files.true[name], detector, made.fps) if files.true else None
        except InputError as error:
            notes.append(f"{name}: left out; {error}")
            continue
        other = None
        if true is not None and name in files.other:
            try:
                other = observe(files.other[name], detector, made.fps)
            except InputError as error:
                notes.append(f"{name}: without its control; {error}")
        if true is not None and not len(made.loud):
            made = replace(made, loud=true.loud)  # Made without a sound track, from that sound.
        yield Watched(made, true, other)


def _unmatched(files: Files) -> list[str]:
    if not files.true:
        return []
    made, true, other = (sorted(part) for part in (files.made, files.true, files.other))
    without = [name for name in made if files.other and name in files.true and name not in files.other]
    return [
        *(f"{name}: left out, it has no true video of its name" for name in made if name not in files.true),
        *(f"{name}: left out, nothing was generated from it" for name in true if name not in files.made),
        *(f"{name}: no control of its name in the other videos" for name in without),
        *(f"{name}: a control without a generated video" for name in other if name not in files.made),
    ]


def _missing(judged: Evaluation) -> Iterator[str]:
    """What the numbers leave out."""
    for video in judged.videos:
        a, b = video.made, video.true
        if b is not None and a.frames != b.frames:
            yield f"{a.name}: {a.frames} frames against {b.frames} true ones; of mouths the first {min(a.frames, b.frames)} count"
        if b is not None and a.size != b.size:
            yield (
                f"{a.name}: {a.size[0]} x {a.size[1]} pixels against {b.size[0]} x {b.size[1]} true ones; sharpness and flicker "
                "are compared at one size only"
            )
    if not any(video.blendshapes.shape[1] for video in (*judged.made, *judged.true)):
        yield "blinks and blendshape_frechet: not computed; give --face-model, MediaPipe's face_landmarker.task"
    elif judged.true and judged.summary["The set"]["blendshape_frechet"] is None:
        yield "blendshape_frechet: not computed; it needs twice as many frames with a face as there are blendshapes (104)"


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
    scores = [row.get("opening_correlation", row["envelope_correlation"]) for row in rows]
    lags = [row["opening_lag"] for row in rows if "opening_lag" in row]
    return {
        "face_found_worst": min(row["face_found"] for row in rows),
        "mouths_not_scored": float(scores.count(None)),
    } | ({"lags_not_found": float(lags.count(None))} if lags else {})


def _compared(video: Watched, index: int, true: Sequence[Observed]) -> Numbers:
    """Against the true video; and the controls, which are the same numbers of a mouth that another sound moves."""
    numbers = against(video.made, true[index])
    if video.other is not None:
        controls = mouths(video.other.opening, true[index].opening)
        numbers |= {f"{name}_other_sound": value for name, value in controls.items()}
    floor = [mouths(one.opening, true[index].opening) for one in itertools.islice(_others(index, true), CONTROLS)]
    for end in ("", "_smoothed"):
        numbers[f"floor_true_against_true{end}"] = _median([row[f"opening_correlation{end}"] for row in floor])
    return numbers


def _with_other_sounds(index: int, videos: Sequence[Observed]) -> float | None:
    """Median agreement of the mouth with the loudness of other videos' sounds: what rhythm alone gives."""
    others = itertools.islice(_others(index, videos), CONTROLS)
    return _median([with_sound(videos[index], other.loud) for other in others if len(other.loud)])


def _others(index: int, videos: Sequence[Observed]) -> itertools.chain:
    return itertools.chain(videos[index + 1 :], videos[:index])


def _median(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return float(np.median(known)) if known else None
