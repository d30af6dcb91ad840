"""Evaluation of generated videos, with true videos and controls: metrics of every video and of the set."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..face.detect import FaceDetector
from ..metrics.lip_sync import envelope_correlation, mouth_metrics
from ..metrics.observation import Observation, observe
from ..metrics.similarity import compare_videos, frechet_distance
from ..metrics.statistics import Metrics
from ..metrics.video_metrics import set_metrics, share_inside_region, video_metrics
from .files import VideoFiles

MAX_OTHER_VIDEOS = 8
"""Number of other videos that each video is compared with, for the floor of a correlation."""
Region = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture."""


@dataclass(frozen=True, slots=True)
class VideoGroup:
    """A generated video with its true video and its control."""

    generated: Observation
    true: Observation | None = None
    control: Observation | None = None
    """Generated from another sound."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All results."""

    groups: list[VideoGroup]
    metrics: dict[str, Metrics]
    """By name of the generated video."""
    true_metrics: dict[str, Metrics]
    """By name, of the true videos alone."""
    summary: dict[str, Metrics]
    """Metrics of the set, by heading."""
    notes: list[str]
    """Lines that name missing results and their reason."""

    @property
    def generated(self) -> list[Observation]:
        """The generated videos."""
        return [group.generated for group in self.groups]

    @property
    def true(self) -> list[Observation]:
        """The true videos in the same order; empty for none."""
        return [group.true for group in self.groups if group.true is not None]


def evaluate_videos(
    files: VideoFiles, detector: FaceDetector, *, clip_frames: int = 0, region: Region | None = None
) -> Evaluation:
    """Observe and compare videos. A video that cannot be read is left out with a note.

    Args:
        files: the videos.
        detector: one that gives landmarks, and blendshapes for `blinks` and `blendshape_frechet`.
        clip_frames: frames per clip of the model, for `seam_ratio`; 0 for none.
        region: the requested face region.

    Raises:
        InputError: if no video can be read.
    """
    notes = _unmatched(files)
    groups = list(_observe_groups(files, detector, notes))
    if not groups:
        raise InputError(f"generated: none of {len(files.generated)} videos can be evaluated; " + "; ".join(notes))
    evaluation = Evaluation(groups, {}, {}, {}, notes)
    generated, true = evaluation.generated, evaluation.true
    for index, video in enumerate(generated):
        metrics = video_metrics(video, clip_frames=clip_frames)
        metrics["envelope_correlation_other_sound"] = _correlation_with_other_sounds(index, generated)
        if region is not None:
            metrics["centres_inside_region"] = share_inside_region(video, region)
        if true:
            metrics |= _compare(groups[index], index, true)
            evaluation.true_metrics[video.name] = video_metrics(true[index], clip_frames=clip_frames)
        evaluation.metrics[video.name] = metrics
    evaluation.summary.update(_summary(evaluation))
    notes.extend(_missing(evaluation))
    return evaluation


def _observe_groups(files: VideoFiles, detector: FaceDetector, notes: list[str]) -> Iterator[VideoGroup]:
    names = [name for name in files.generated if not files.true or name in files.true]
    for name in tqdm(names, desc="observe", unit="video", disable=None):
        try:
            generated = observe(files.generated[name], detector)
            true = observe(files.true[name], detector, generated.fps) if files.true else None
        except InputError as error:
            notes.append(f"{name}: left out; {error}")
            continue
        control = None
        if true is not None and name in files.control:
            try:
                control = observe(files.control[name], detector, generated.fps)
            except InputError as error:
                notes.append(f"{name}: without its control; {error}")
        if true is not None and not len(generated.loudness):
            generated = replace(generated, loudness=true.loudness)  # A video file without a sound track.
        yield VideoGroup(generated, true, control)


def _compare(group: VideoGroup, index: int, true: Sequence[Observation]) -> Metrics:
    """The generated video against its true video; as controls, other mouths against the same true video."""
    metrics = compare_videos(group.generated, true[index])
    if group.control is not None:
        control = mouth_metrics(group.control.opening, true[index].opening)
        metrics |= {f"{name}_other_sound": value for name, value in control.items()}
    floor = [mouth_metrics(video.opening, true[index].opening) for video in _other_videos(index, true)]
    for suffix in ("", "_smoothed"):
        metrics[f"floor_true_against_true{suffix}"] = _median([row[f"opening_correlation{suffix}"] for row in floor])
    return metrics


def _correlation_with_other_sounds(index: int, videos: Sequence[Observation]) -> float | None:
    """Median correlation of the mouth with other videos' sounds: a control for the rhythm that all speech shares."""
    video = videos[index]
    sounds = [other.loudness for other in _other_videos(index, videos) if len(other.loudness)]
    return _median([envelope_correlation(video.opening, sound, video.fps) for sound in sounds])


def _other_videos(index: int, videos: Sequence[Observation]) -> Iterator[Observation]:
    return itertools.islice(itertools.chain(videos[index + 1 :], videos[:index]), MAX_OTHER_VIDEOS)


def _summary(evaluation: Evaluation) -> dict[str, Metrics]:
    rows, true_rows = list(evaluation.metrics.values()), list(evaluation.true_metrics.values())
    summary = {
        f"Medians of {len(rows)} videos": medians(rows) | _coverage(rows),
        "The set": set_metrics(rows),
    }
    if true_rows:
        sets = (stack_blendshapes(videos) for videos in (evaluation.generated, evaluation.true))
        summary["The set"]["blendshape_frechet"] = frechet_distance(*sets)
        summary["The true videos"] = medians(true_rows)
        summary["The true videos, as a set"] = set_metrics(true_rows)
    return summary


def medians(rows: Sequence[Metrics]) -> Metrics:
    """Median of every metric over the videos that have it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: _median([row.get(name) for row in rows]) for name in names}


def _median(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.median(numbers)) if numbers else None


def _coverage(rows: Sequence[Metrics]) -> Metrics:
    """Numbers that a median hides: the worst video, and the videos without a result."""
    scores = [row.get("opening_correlation", row["envelope_correlation"]) for row in rows]
    lags = [row["opening_lag"] for row in rows if "opening_lag" in row]
    return {
        "face_found_worst": min(row["face_found"] for row in rows),
        "mouths_not_scored": float(scores.count(None)),
    } | ({"lags_not_found": float(lags.count(None))} if lags else {})


def stack_blendshapes(videos: Sequence[Observation]) -> np.ndarray:
    """(F, 52) blendshapes of all videos that have them; (0, 0) for none."""
    rows = [video.blendshapes for video in videos if video.blendshapes.shape[1]]
    return np.concatenate(rows) if rows else np.zeros((0, 0))


def _unmatched(files: VideoFiles) -> list[str]:
    if not files.true:
        return []
    generated, true, control = (sorted(videos) for videos in (files.generated, files.true, files.control))
    without = [name for name in generated if control and name in files.true and name not in files.control]
    return [
        *(f"{name}: left out, no true video has this name" for name in generated if name not in files.true),
        *(f"{name}: left out, no generated video has this name" for name in true if name not in files.generated),
        *(f"{name}: no control has this name" for name in without),
        *(f"{name}: a control without a generated video" for name in control if name not in files.generated),
    ]


def _missing(evaluation: Evaluation) -> Iterator[str]:
    """Notes on metrics that are missing or limited."""
    for group in evaluation.groups:
        a, b = group.generated, group.true
        if b is not None and a.frames != b.frames:
            shorter = min(a.frames, b.frames)
            yield f"{a.name}: {a.frames} frames against {b.frames} true ones; mouths are compared in the first {shorter}"
        if b is not None and a.size != b.size:
            yield (
                f"{a.name}: {a.size[0]} x {a.size[1]} pixels against {b.size[0]} x {b.size[1]} true ones; sharpness and flicker "
                "are compared for equal sizes only"
            )
    if not any(video.blendshapes.shape[1] for video in (*evaluation.generated, *evaluation.true)):
        yield "blinks and blendshape_frechet: not computed; give --face-model, MediaPipe's face_landmarker.task"
    elif evaluation.true and evaluation.summary["The set"]["blendshape_frechet"] is None:
        yield "blendshape_frechet: not computed; it needs twice as many frames with a face as there are blendshapes (104)"
