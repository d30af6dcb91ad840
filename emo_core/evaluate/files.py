"""Which videos are judged: generated ones, true ones and controls, matched by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

Paths = tuple[Path, Path | None, Path | None]
"""Of generated videos, true ones, and controls: files or folders."""


@dataclass(frozen=True, slots=True)
class Files:
    """Videos to be judged, by name."""

    made: Mapping[str, Path]
    true: Mapping[str, Path]
    """Those without a generated one are left out, and the other way round; may be empty."""
    other: Mapping[str, Path]
    """The same portraits generated from another clip's sound; may be empty."""


def find_files(paths: Paths) -> Files:
    """Videos by name.

    Raises:
        InputError: where a path does not exist or holds no videos, or two videos have one name.
    """
    made, *rest = (
        {} if path is None else _videos(path, name)
        for path, name in zip(paths, ("generated", "true", "other"), strict=True)
    )
    if not paths[0].is_dir():  # A file is compared with a file, whatever their names are.
        name = next(iter(made))
        rest = [
            {name: path} if path is not None and not path.is_dir() else files
            for path, files in zip(paths[1:], rest, strict=True)
        ]
    true, other = rest
    if true and not made.keys() & true.keys():
        raise InputError("true: no video has the name of a generated one; give them the same names")
    return Files(made, true, other)


def _videos(path: Path, name: str) -> dict[str, Path]:
    from ..media.video_reader import VIDEO_SUFFIXES

    if not path.exists():
        raise InputError(f"{name}: nothing at {path}; give a video or a folder of videos")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
    if not found:
        raise InputError(f"{name}: no videos in {path}; give a video or a folder of videos")
    files = {file.stem: file for file in found}
    if len(files) < len(found):
        raise InputError(f"{name}: {path} holds videos of one name with different endings; keep one of each")
    return files
