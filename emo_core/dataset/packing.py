"""Pack the clips of finished sources into shards, choose the held-out ones, and describe the dataset in `dataset.json`."""

import hashlib
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import existing_file
from .clip_cutting import Recipe
from .filters import FAILED
from .shards import HELD_OUT, INDEX, TRAIN, Clip, Dataset, Shard, read_clips, read_members, write_clips

SHARD_BYTES = 256 * 2**20
"""A shard is closed when it has grown to this."""
SHARD_NAME = re.compile(
    rf"(?:{TRAIN}|{HELD_OUT})-\d{{6}}\.tar|\.(?:{TRAIN}|{HELD_OUT})-\d{{6}}\.[0-9a-f]{{8}}\.part\.tar"
)
"""Names of shards, and of unfinished ones as `files.atomic_path` calls them. All other files belong to the user."""
QUANTILES = tuple(range(0, 101, 5))
"""Per cent."""
MIN_SOURCES = 5
"""Number of sources from which one is held out even if the share would round to none."""


@dataclass(frozen=True, slots=True)
class Split:
    """The held-out sources: a share of all, or those of certain file names."""

    share: float
    names: tuple[str, ...]


def report_of(out: Path, key: str) -> Path:
    """Path of the report on a source."""
    return out / "reports" / f"{key}.json"


def reports(out: Path) -> list[Path]:
    """The reports on all sources."""
    return sorted(path for path in (out / "reports").glob("*.json") if not path.name.startswith("."))


def _has_failed(report: Path) -> bool:
    pieces = json.loads(report.read_text())["pieces"]
    return bool(pieces) and pieces[-1]["reason"] == FAILED


def make_folders(out: Path) -> None:
    """Make the folders of reports and clips, and remove from them what is to be made again.

    That is what a killed process has begun to write (see `files.temporary_name`), and reports of videos at which the program
    failed.
    """
    for folder in ("reports", "pending"):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for path in (out / folder).glob(".*.part.*"):
            path.unlink()
    for path in filter(_has_failed, reports(out)):
        path.unlink()


def check_hold_out(out: Path, split: Split, contents: Container[str]) -> None:
    """Refuse to hold out videos that a dataset already trains on.

    Args:
        out: the dataset's folder.
        split: the held-out sources.
        contents: content hashes of the videos to hold out; see `content_of`.

    Raises:
        InputError: if the dataset trains on one of them, under its present name or an older one.
    """
    shards = Dataset.open(out).split(TRAIN) if split.names and (out / INDEX).is_file() else ()
    trained = [
        key
        for shard in shards
        for key in shard.sources
        if content_of(key) in contents or matches(_file_name(out, key), split.names)
    ]
    if trained:
        raise InputError(
            f"hold-out: {out} already trains on {len(trained)} of these videos ({_file_name(out, trained[0])} ...); prepare "
            "into a new folder, or name others"
        )


def content_of(key: str) -> str:
    """The part of a source's key that depends on its content alone."""
    return key.rpartition("-")[2]


def pack(out: Path, recipe: Recipe, split: Split) -> Dataset:
    """Move pending clips into shards, and write `dataset.json`.

    A shard belongs to the dataset once `dataset.json` names it. Others of such names are left from a killed run, and removed.
    """
    dataset = Dataset.open(out) if (out / INDEX).is_file() else None
    dataset = dataset or Dataset(folder=out, fps=recipe.fps, size=recipe.size, expand=recipe.expand)
    names = {shard.name for shard in dataset.shards}
    packed = {key for shard in dataset.shards for key in shard.sources}
    for stray in (path for path in out.iterdir() if SHARD_NAME.fullmatch(path.name) and path.name not in names):
        stray.unlink()
    pending = sorted(path for path in (out / "pending").glob("*.tar") if not path.name.startswith("."))
    new = [path for path in pending if path.stem not in packed]
    groups = _splits_by_name(out, new, split.names) if split.names else _splits(new, split.share)
    if any(groups.values()):
        shards = [shard for split, tars in groups.items() for shard in _write_shards(out, split, tars, len(names))]
        dataset = _measured(dataset.with_shards(shards))
        dataset.save()
    for path in pending:
        path.unlink()
    return dataset


def _splits(tars: list[Path], held_out: float) -> dict[str, list[Path]]:
    hashes = {tar: int(hashlib.sha1(tar.stem.encode()).hexdigest(), 16) % 10_000 / 10_000 for tar in tars}
    chosen = [tar for tar in tars if hashes[tar] < held_out]
    if not chosen and held_out > 0 and len(tars) >= MIN_SOURCES:
        chosen = [min(tars, key=hashes.__getitem__)]
    return {TRAIN: [tar for tar in tars if tar not in chosen], HELD_OUT: chosen}


def _splits_by_name(out: Path, tars: list[Path], patterns: tuple[str, ...]) -> dict[str, list[Path]]:
    chosen = [tar for tar in tars if matches(_file_name(out, tar.stem), patterns)]
    return {TRAIN: [tar for tar in tars if tar not in chosen], HELD_OUT: chosen}


def _file_name(out: Path, key: str) -> str:
    report = existing_file(report_of(out, key), "reports", "the folder that `prepare` wrote beside the shards")
    return Path(json.loads(report.read_text())["file"]).name


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a file name fits one of the patterns."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def _write_shards(out: Path, split: str, tars: list[Path], number: int) -> Iterator[Shard]:
    group: list[Path] = []
    for index, tar in enumerate(tars):
        group.append(tar)
        if index == len(tars) - 1 or sum(path.stat().st_size for path in group) >= SHARD_BYTES:
            name = f"{split}-{number:06d}.tar"
            counted: list[int] = []
            write_clips(out / name, _counting(group, counted))
            yield Shard(name, split, len(counted), sum(counted), tuple(path.stem for path in group))
            group, number = [], number + 1


def _counting(tars: list[Path], counted: list[int]) -> Iterator[Clip]:
    """The clips; each adds its frames to `counted`."""
    for members in chain.from_iterable(map(read_members, tars)):
        clip = Clip.of_members(members)
        counted.append(clip.frames)
        yield clip


def _measured(dataset: Dataset) -> Dataset:
    """Measure the framing and the head speeds over all frames."""
    boxes, speeds = [], []
    for split in (TRAIN, HELD_OUT):
        for clip in read_clips(dataset, split):
            boxes.append(clip.labels.boxes)
            speeds.append(clip.labels.speed)
    left, top, right, bottom = np.concatenate(boxes).T
    return replace(
        dataset,
        shortest=min(map(len, speeds)),
        face_share=round(float(np.median(bottom - top)), 4),
        face_centre=(round(float(np.median(left + right) / 2), 4), round(float(np.median(top + bottom) / 2), 4)),
        speed_quantiles=tuple(round(float(q), 4) for q in np.percentile(np.concatenate(speeds), QUANTILES)),
    )
