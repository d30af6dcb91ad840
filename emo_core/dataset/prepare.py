"""Many videos -> a dataset: in parallel, resumable, with a report for every source and a summary.

    DATASET/reports/KEY.json    what became of a source; its presence means that the source is done
    DATASET/pending/KEY.tar     its clips, until they are packed
    DATASET/*.tar               shards
    DATASET/dataset.json        written last

A killed run loses the videos in work, nothing else; the same command goes on where it was.
"""

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from ..command_line import silence_native_logs
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from ..files import write_json
from ..media.video_reader import VIDEO_SUFFIXES
from .clip_cutting import Piece, Recipe, prepare_video
from .filters import REASONS
from .packing import QUANTILES, Split, check_hold_out, content_of, matches, pack, report_of
from .shards import CACHE_MARK, HELD_OUT, INDEX, Dataset, write_clips

PIECE = 2**20
"""Bytes of a video's beginning, middle and end that tell it from others of its size."""
RECIPE = "recipe.json"
PARTS = 16
"""Of each worker's videos: as many detectors are made in its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `prepare` made."""

    sources: int
    kept: int
    """Clips."""
    minutes: float
    """Of kept clips."""
    held_out: int
    """Clips of them that are not trained on."""
    rejected: dict[str, int]
    """Pieces per reason."""
    rejected_minutes: float
    speed_quantiles: dict[str, float]
    """Degrees per frame, over all kept frames."""


def find_videos(paths: list[Path]) -> list[Path]:
    """Files as they are named, folders searched for videos.

    Raises:
        InputError: where a path does not exist, or nothing is found.
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
        hold_out: patterns of file names (`s26_*`) that are kept for it instead, so that whole people can be left out.
        face_model: a face_landmarker.task for MediaPipe.

    Raises:
        InputError: where the folder holds a dataset of another recipe or a cache, where it trains on what is to be held
            out, or where nothing could be kept.
    """
    make_detector(face_model, landmarks=True)  # Say what is missing before any work is done.
    try:
        return _prepare(videos, out, recipe, workers, Split(held_out, hold_out), face_model)
    except OSError as error:
        raise InputError(
            f"out: cannot write {out} ({error}); make room, and the same command goes on where it was"
        ) from error


def _prepare(
    videos: list[Path], out: Path, recipe: Recipe, workers: int, split: Split, face_model: Path | None
) -> Summary:
    _own_folder(out)
    # Of copies the first one counts: one that is to be held out comes before others.
    keys = {path: source_key(path) for path in sorted(videos, key=lambda path: not matches(path.name, split.names))}
    late = [path for path in videos if matches(path.name, split.names)]
    check_hold_out(out, split, {content_of(key) for path in late for key in (keys[path], _earlier_key(path))})
    for folder in ("reports", "pending"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    _same_recipe(out, recipe)
    todo = _fresh(out, keys)
    with tqdm(total=len(videos), initial=len(videos) - len(todo), desc="prepare", unit="video", disable=None) as bar:
        for done in _work(todo, out, recipe, workers, face_model):
            bar.update(done)
    dataset = pack(out, recipe, split)
    summary = _summary(out, dataset)
    write_json(out / "summary.json", asdict(summary))
    if not summary.kept:
        table = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.items())
        raise InputError(f"videos: none of {len(videos)} gave a usable clip ({table}); see {out / 'reports'}")
    return summary


def _fresh(out: Path, keys: Mapping[Path, str]) -> dict[str, Path]:
    """Videos to work on by key: each content once, wherever it lies and whatever it is called."""
    reports = {path.stem for path in (out / "reports").glob("*.json")}
    done, todo = {content_of(key) for key in reports}, {}
    for path, key in keys.items():
        if content_of(key) in todo:
            tqdm.write(f"{path}: left out, the same as {todo[content_of(key)][1]}", file=sys.stderr)
        elif content_of(key) not in done and _earlier_key(path) not in reports:
            todo[content_of(key)] = key, path
    return dict(todo.values())


def source_key(path: Path) -> str:
    """A name that tells a video by its content from all others, and that WebDataset takes (no dots)."""
    try:
        size = path.stat().st_size
        digest = hashlib.sha1(str(size).encode())
        with path.open("rb") as file:
            for start in (0, size // 2, max(0, size - PIECE)):
                file.seek(start)
                digest.update(file.read(PIECE))
    except OSError:  # It is reported as unreadable.
        digest = hashlib.sha1(str(path).encode())
    return f"{_slug(path)}-{digest.hexdigest()[:16]}"


def _earlier_key(path: Path) -> str:
    """The key that datasets of earlier versions know a video by, as long as it lies where it lay."""
    return f"{_slug(path)}-{hashlib.sha1(str(path).encode()).hexdigest()[:8]}"


def _slug(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem)[:60]


def _own_folder(out: Path) -> None:
    """Refuse a dataset that `prepare` did not make: its clips carry more than new ones would."""
    if (out / CACHE_MARK).is_file() or ((out / INDEX).is_file() and not (out / RECIPE).is_file()):
        raise InputError(
            f"out: {out} holds a dataset that `prepare` did not make, such as a cache; give the folder of a prepared one, "
            "or a new one"
        )


def _same_recipe(out: Path, recipe: Recipe) -> None:
    file = out / RECIPE
    wanted = json.loads(json.dumps(asdict(recipe)))
    if file.is_file() and json.loads(file.read_text()) != wanted:
        raise InputError(f"out: {out} was begun with another recipe ({file}); give its options, or another folder")
    write_json(file, wanted)


def _work(todo: dict[str, Path], out: Path, recipe: Recipe, workers: int, face_model: Path | None) -> Iterator[int]:
    """Work on all videos; tells, now and then, how many more are done."""
    videos = list(todo.items())
    if workers <= 1:
        detector = make_detector(face_model, landmarks=True)
        for key, path in videos:
            prepare_source(path, key, out, recipe, detector)
            yield 1
        return
    # MediaPipe gives no memory back, so a process makes few detectors, however many the videos are.
    size = max(1, math.ceil(len(videos) / workers / PARTS))
    parts = [videos[start : start + size] for start in range(0, len(videos), size)]
    # Fresh processes: MediaPipe's threads do not survive a fork.
    with ProcessPoolExecutor(min(workers, max(1, len(parts))), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_work_alone, part, out, recipe, face_model) for part in parts]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool as error:
            raise InputError(
                "videos: a worker process died, probably for want of memory; the same command with fewer --workers goes on"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _work_alone(videos: list[tuple[str, Path]], out: Path, recipe: Recipe, face_model: Path | None) -> int:
    silence_native_logs()
    detector = make_detector(face_model, landmarks=True)
    for key, path in videos:
        prepare_source(path, key, out, recipe, detector)
    return len(videos)


def prepare_source(path: Path, key: str, out: Path, recipe: Recipe, detector: FaceDetector) -> None:
    """Work on one video: clips first, then the report that says they are whole."""
    pieces, clips = prepare_video(path, key, recipe, detector)
    if any(not piece.reason for piece in pieces):
        write_clips(out / "pending" / f"{key}.tar", clips)
    write_json(report_of(out, key), {"file": str(path), "pieces": [asdict(piece) for piece in pieces]})


def _summary(out: Path, dataset: Dataset) -> Summary:
    reports = [json.loads(path.read_text()) for path in sorted((out / "reports").glob("*.json"))]
    pieces = [Piece(**piece) for report in reports for piece in report["pieces"]]
    bad = [piece for piece in pieces if piece.reason]
    counts = {reason: sum(piece.reason == reason for piece in bad) for reason in REASONS}
    good = [piece for piece in pieces if not piece.reason]
    return Summary(
        sources=len(reports),
        kept=len(good),
        minutes=round(sum(piece.stop - piece.start for piece in good) / 60, 2),
        held_out=dataset.clips(HELD_OUT),
        rejected={reason: count for reason, count in counts.items() if count},
        rejected_minutes=round(sum(piece.stop - piece.start for piece in bad) / 60, 2),
        speed_quantiles=dict(zip(map(str, QUANTILES), dataset.speed_quantiles, strict=False)),
    )
