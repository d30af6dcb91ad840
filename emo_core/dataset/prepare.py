"""Turn many videos into a dataset: in parallel, resumable, with a report for every source and a summary.

    DATASET/reports/KEY.json    the report on a source; a source with a report is finished
    DATASET/pending/KEY.tar     its clips, until they are packed
    DATASET/*.tar               shards
    DATASET/dataset.json        written last

A killed run loses only the videos it worked on. The same command continues it.
"""

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..errors import EmoError, InputError
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from ..files import locked, write_json
from ..media.video_reader import VIDEO_SUFFIXES
from .clip_cutting import UNREADABLE, Piece, Recipe, prepare_video
from .filters import FAILED
from .packing import (
    Split,
    check_hold_out,
    content_of,
    make_folders,
    matches,
    pack,
    report_of,
    reports,
)
from .shards import CACHE_MARK, INDEX, Clip, write_clips
from .summary import Summary, summarise

HASHED_BYTES = 2**20
"""Bytes of a video's beginning, middle and end that are hashed for its key, each."""
RECIPE = "recipe.json"
BATCHES_PER_WORKER = 16
"""A worker's videos are divided into so many batches; each makes a new detector."""


def find_videos(paths: list[Path]) -> list[Path]:
    """All named files, and the videos in all named folders.

    Raises:
        InputError: if a path does not exist, or no video is found.
    """
    videos = []
    for path in paths:
        if path.is_dir():
            videos.extend(sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()))
        elif path.exists():
            videos.append(path)
        else:
            raise InputError(f"videos: nothing at {path}; give video files or folders that hold some")
    if not videos:
        raise InputError(
            f"videos: none found in {', '.join(map(str, paths)) or 'no path'}; give files, or folders with "
            f"{' '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return list(dict.fromkeys(path.resolve() for path in videos))


def prepare(
    videos: list[Path],
    out: Path,
    recipe: Recipe,
    *,
    workers: int = 1,
    held_out: float = 0.05,
    hold_out: tuple[str, ...] = (),
    face_model: Path | None = None,
) -> Summary:
    """Turn videos into a dataset, or add them to one of the same recipe.

    Args:
        videos: files; see `find_videos`.
        out: the dataset's folder.
        recipe: rate, size and limits.
        workers: processes.
        held_out: share of the sources that is kept for validation, chosen by a hash of names and contents.
        hold_out: patterns of file names (`s26_*`) that are kept for validation instead, to hold out whole people.
        face_model: a face_landmarker.task for MediaPipe.

    Raises:
        InputError: if the folder holds a dataset of another recipe or a cache, if it already trains on a video to hold out,
            or if no clip is kept.
    """
    _detector(face_model)  # Fail before any work is done if MediaPipe is missing.
    try:
        with locked(out, "out"):
            return _prepare(videos, out, recipe, workers, Split(held_out, hold_out), face_model)
    except OSError as error:
        raise InputError(f"out: cannot write {out} ({error}); make room, and run the same command again") from error


def _prepare(
    videos: list[Path], out: Path, recipe: Recipe, workers: int, split: Split, face_model: Path | None
) -> Summary:
    _check_folder(out)
    # The first of several copies counts, so videos to hold out come first.
    keys = {path: source_key(path) for path in sorted(videos, key=lambda path: not matches(path.name, split.names))}
    check_hold_out(out, split, {content_of(keys[path]) for path in videos if matches(path.name, split.names)})
    make_folders(out)
    _check_recipe(out, recipe)
    todo = _unfinished(out, keys)
    with tqdm(total=len(videos), initial=len(videos) - len(todo), desc="prepare", unit="video", disable=None) as bar:
        for count in _prepare_all(todo, out, recipe, workers, face_model):
            bar.update(count)
    dataset = pack(out, recipe, split)
    summary = summarise(out, dataset)
    write_json(out / "summary.json", asdict(summary))
    if not summary.kept:
        table = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.items())
        raise InputError(f"videos: none of {len(videos)} gave a usable clip ({table}); see {out / 'reports'}")
    if summary.rejected.get(FAILED):
        raise InputError(
            f"videos: the program failed at {summary.rejected[FAILED]}; the dataset is complete without them; see "
            f"{FAILED!r} in {out / 'reports'}"
        )
    return summary


def _unfinished(out: Path, keys: Mapping[Path, str]) -> dict[str, Path]:
    """Videos without a report, by key; each content once, whatever its path."""
    done, todo = {content_of(path.stem) for path in reports(out)}, {}
    for path, key in keys.items():
        if content_of(key) in todo:
            tqdm.write(f"{path}: left out, the same as {todo[content_of(key)][1]}", file=sys.stderr)
        elif content_of(key) not in done:
            todo[content_of(key)] = key, path
    return dict(todo.values())


def source_key(path: Path) -> str:
    """A name made of the file's name and a hash of its content, without dots, which WebDataset would split at."""
    try:
        size = path.stat().st_size
        digest = hashlib.sha1(str(size).encode())
        with path.open("rb") as file:
            for start in (0, size // 2, max(0, size - HASHED_BYTES)):
                file.seek(start)
                digest.update(file.read(HASHED_BYTES))
    except OSError:  # The report will call it unreadable.
        digest = hashlib.sha1(str(path).encode())
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', path.stem)[:60]}-{digest.hexdigest()[:16]}"


def _check_folder(out: Path) -> None:
    """Refuse a dataset that `prepare` did not make, such as a cache: its clips have other members than new ones."""
    if (out / CACHE_MARK).is_file() or ((out / INDEX).is_file() and not (out / RECIPE).is_file()):
        raise InputError(
            f"out: {out} holds a dataset that `prepare` did not make, such as a cache; give the folder of a prepared one, "
            "or a new one"
        )


def _check_recipe(out: Path, recipe: Recipe) -> None:
    file = out / RECIPE
    content = json.loads(json.dumps(asdict(recipe)))
    if file.is_file() and _completed(json.loads(file.read_text())) != content:
        raise InputError(f"out: {out} was begun with another recipe ({file}); give its options, or another folder")
    write_json(file, content)


def _completed(recipe: dict[str, Any]) -> dict[str, Any]:
    """A stored recipe, with defaults for rules that did not exist when it was written."""
    default = asdict(Recipe())
    return {**default, **recipe, "rules": {**default["rules"], **recipe.get("rules", {})}}


def _detector(face_model: Path | None) -> FaceDetector:
    return make_detector(face_model, landmarks=True, blendshapes=True, quiet=True)


def _prepare_all(
    todo: dict[str, Path], out: Path, recipe: Recipe, workers: int, face_model: Path | None
) -> Iterator[int]:
    """Prepare all videos; yields numbers of newly finished ones."""
    videos = list(todo.items())
    if workers <= 1:
        detector = _detector(face_model)
        for key, path in videos:
            prepare_source(path, key, out, recipe, detector)
            yield 1
        return
    try:
        yield from _in_processes(videos, out, recipe, workers, face_model)
    except BrokenProcessPool:
        tqdm.write("prepare: a worker process died; the other videos are read one by one", file=sys.stderr)
        make_folders(out)
        for key, path in videos:
            if not report_of(out, key).is_file():
                _prepare_alone(key, path, out, recipe, face_model)
                yield 1


def _in_processes(
    videos: list[tuple[str, Path]], out: Path, recipe: Recipe, workers: int, face_model: Path | None
) -> Iterator[int]:
    # MediaPipe does not free the memory of a detector, so the number of detectors per process is limited.
    size = max(1, math.ceil(len(videos) / workers / BATCHES_PER_WORKER))
    batches = [videos[start : start + size] for start in range(0, len(videos), size)]
    with _pool(min(workers, max(1, len(batches)))) as pool:
        jobs = [pool.submit(_prepare_batch, batch, out, recipe, face_model) for batch in batches]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _prepare_alone(key: str, path: Path, out: Path, recipe: Recipe, face_model: Path | None) -> None:
    """Prepare one video in a process of its own. If that dies, the report says so."""
    try:
        with _pool(1) as pool:
            pool.submit(_prepare_batch, [(key, path)], out, recipe, face_model).result()
    except BrokenProcessPool:
        _write_report(out, key, path, [Piece(0.0, 0.0, FAILED, "the process died, perhaps out of memory")])


def _pool(workers: int) -> ProcessPoolExecutor:
    """The processes are spawned: MediaPipe's threads do not survive a fork."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _prepare_batch(videos: list[tuple[str, Path]], out: Path, recipe: Recipe, face_model: Path | None) -> int:
    detector = _detector(face_model)
    for key, path in videos:
        prepare_source(path, key, out, recipe, detector)
    return len(videos)


def prepare_source(path: Path, key: str, out: Path, recipe: Recipe, detector: FaceDetector) -> None:
    """Prepare one video. Its clips are written first, then its report, which marks the clips as complete."""
    pieces: list[Piece] = []
    clips = _kept(prepare_video(path, key, recipe, detector), pieces)
    file = out / "pending" / f"{key}.tar"
    try:
        first = next(clips, None)
        if first is not None:
            write_clips(file, chain([first], clips))
    except (OSError, EmoError):  # The disk is full, for instance.
        raise
    except Exception as error:  # noqa: BLE001 -- whatever one video does to a library, the others are prepared
        pieces.append(Piece(0.0, 0.0, FAILED, " ".join(f"{type(error).__name__}: {error}".split())[:500]))
    if pieces and pieces[-1].reason in (UNREADABLE, FAILED):
        file.unlink(missing_ok=True)
        pieces = pieces[-1:]
    _write_report(out, key, path, pieces)


def _write_report(out: Path, key: str, path: Path, pieces: list[Piece]) -> None:
    write_json(report_of(out, key), {"file": str(path), "pieces": [asdict(piece) for piece in pieces]})


def _kept(decisions: Iterator[tuple[Piece, Clip | None]], pieces: list[Piece]) -> Iterator[Clip]:
    """The clips that are kept; all pieces are appended to `pieces`."""
    for piece, clip in decisions:
        pieces.append(piece)
        if clip is not None:
            yield clip
