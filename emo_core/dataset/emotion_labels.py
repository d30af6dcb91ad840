"""Emotions of a dataset's clips: from a CSV into a column of their labels.

The CSV has the columns `file` and `emotion`, and optionally `strength` or `level`, and `person`. `file` is the name of a source video or
the end of its path, and may be a pattern; `emotion` is a name, or a curve over the seconds of the video.

Shape legend: F frames, E emotions of `emotion.EXPRESSIVE`.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..emotion import EXPRESSIVE, EmotionCurve
from ..errors import InputError
from ..files import locked
from .labels import Labels
from .packing import report_of
from .shards import TRAIN, Clip, Dataset, read_members, write_clips

COLUMN = "emotions"
"""Column of a clip's labels: (F, E) strengths, zeros for neutral; a clip of unknown emotion has none."""
PERSON = "person"
"""Entry of a clip's `about`."""
LEVELS = {"1": 0.4, "2": 0.7, "3": 1.0, "lo": 0.4, "md": 0.7, "hi": 1.0}
"""Level that an actor was asked for (MEAD, CREMA-D) -> strength."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the CSV."""

    line: int
    pattern: str
    curve: EmotionCurve
    person: str = ""
    """Who is seen; empty if the table does not say."""

    def names(self, video: Path) -> bool:
        """Whether it is about this source video."""
        return fnmatchcase(f"/{video.as_posix()}", f"*/{self.pattern}")


@dataclass(frozen=True, slots=True)
class Labelling:
    """Result of `label_emotions`."""

    dataset: Dataset
    clips: Mapping[str, int]
    """Clips per emotion, `neutral` among them; a clip may show several."""
    unknown: int
    """Clips of unknown emotion."""
    unused: tuple[Row, ...]
    """Rows that name no source video of the dataset."""


def emotions_of(labels: Labels) -> np.ndarray:
    """(F, E) float32 strengths; NaN if nobody knows.

    Raises:
        InputError: for a column of another shape.
    """
    column, shape = labels.others.get(COLUMN), (len(labels), len(EXPRESSIVE))
    if column is None:
        return np.full(shape, np.nan, np.float32)
    if column.shape != shape:
        raise InputError(
            f"data: a clip has emotions of shape {column.shape}; expected {shape}; label the dataset again"
        )
    return column.astype(np.float32)


def read_table(path: Path) -> tuple[Row, ...]:
    """Read the CSV. Rows without an emotion are left out.

    Raises:
        InputError: for a table that cannot be read, or an emotion or strength that does not exist.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"emotions: {path} cannot be read ({error}); give a CSV with file,emotion") from error
    if not rows or not {"file", "emotion"} <= rows[0].keys():
        columns = ",".join(map(str, rows[0])) if rows else "no rows"
        raise InputError(f"emotions: {path} has {columns}; expected a first line such as file,emotion,strength")
    found = tuple(_row(row, line, path) for line, row in enumerate(rows, 2) if row["file"] and row["emotion"])
    if not found:
        raise InputError(f"emotions: {path} names no emotion; fill its columns file and emotion")
    return found


def _row(row: Mapping[str, str | None], line: int, path: Path) -> Row:
    level, strength = ((row.get(name) or "").strip().lower() for name in ("level", "strength"))
    if level and level not in LEVELS:
        raise InputError(f"emotions: line {line} of {path} has level {level!r}; expected one of {', '.join(LEVELS)}")
    try:
        number = float(strength or LEVELS.get(level, 1.0))
    except ValueError:
        raise InputError(f"emotions: line {line} of {path} has strength {strength!r}; expected a number") from None
    try:
        curve = EmotionCurve.parse(row["emotion"], number)
    except InputError as error:
        raise InputError(f"emotions: line {line} of {path}: {error}") from error
    return Row(line, row["file"].strip().replace("\\", "/"), curve, (row.get("person") or "").strip())


def label_emotions(dataset: Dataset, rows: Sequence[Row]) -> Labelling:
    """Write the emotions of a prepared or cached dataset into its shards, in place of earlier ones. It may be repeated.

    Raises:
        InputError: if no row names a source video, or two rows disagree on one; then nothing is changed.
    """
    curves = _curves(dataset, rows)
    used = {row.line for row in curves.values()}
    if not used:
        raise InputError(
            f"emotions: no line names a video of {dataset.folder}; expected names such as {next(iter(_videos(dataset).values()))}"
        )
    counts: dict[tuple[str, str], int] = {}
    with locked(dataset.folder, "data"):
        for shard in dataset.shards:
            path = dataset.folder / shard.name
            clips = map(Clip.of_members, read_members(path, shard.clips))
            try:
                write_clips(path, _labelled(clips, curves, shard.split, counts))
            except OSError as error:
                raise InputError(
                    f"data: cannot write {path} ({error}); make room, and run the command again"
                ) from error
        shown = {name for split, name in counts if split == TRAIN}
        labelled = replace(dataset, emotions=tuple(name for name in EXPRESSIVE if name in shown))
        labelled.save()
    per_emotion = {
        name: sum(count for (_, other), count in counts.items() if other == name) for name in ("neutral", *EXPRESSIVE)
    }
    return Labelling(
        labelled,
        {name: count for name, count in per_emotion.items() if count},
        sum(count for (_, name), count in counts.items() if not name),
        tuple(row for row in rows if row.line not in used),
    )


def _labelled(
    clips: Iterator[Clip], curves: Mapping[str, Row], split: str, counts: dict[tuple[str, str], int]
) -> Iterator[Clip]:
    """The clips with their column and person; their emotions are added to `counts`, the empty name for an unknown one."""
    for clip in clips:
        others = {name: column for name, column in clip.labels.others.items() if name != COLUMN}
        about = {name: value for name, value in clip.about.items() if name != PERSON}
        shown = [""]
        if clip.speaker in curves:
            row, fps = curves[clip.speaker], clip.about["fps"]
            strengths = row.curve.at_frames(clip.frames, fps, first=round(clip.about["start"] * fps))
            about |= {PERSON: row.person} if row.person else {}
            others[COLUMN] = strengths.astype(np.float16)
            shown = [name for name, any_frame in zip(EXPRESSIVE, strengths.any(0), strict=True) if any_frame]
            shown += ["neutral"] if not strengths.any(1).all() else []
        for name in shown:
            counts[split, name] = counts.get((split, name), 0) + 1
        yield replace(clip, labels=replace(clip.labels, others=others), about=about)


def _curves(dataset: Dataset, rows: Sequence[Row]) -> dict[str, Row]:
    """The row about each source, by key."""
    found: dict[str, Row] = {}
    for key, video in _videos(dataset).items():
        named = [row for row in rows if row.names(video)]
        if len({(row.curve, row.person) for row in named}) > 1:
            lines = " and ".join(str(row.line) for row in named)
            raise InputError(f"emotions: lines {lines} disagree on {video}; keep one, or write more of its path")
        if named:
            found[key] = named[0]
    return found


def _videos(dataset: Dataset) -> dict[str, Path]:
    """Source videos by key; with their folders where the reports of `prepare` are at hand."""
    videos = {}
    for shard in dataset.shards:
        for members in read_members(dataset.folder / shard.name, shard.clips):
            about = json.loads(members["json"])
            if about["source"] not in videos:
                report = report_of(dataset.folder, about["source"])
                file = json.loads(report.read_text())["file"] if report.is_file() else about["file"]
                videos[about["source"]] = Path(file)
    return videos
