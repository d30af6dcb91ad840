"""Files to evaluate: generated videos, true videos and controls, matched by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError

Paths = tuple[Path, Path | None, Path | None]
"""Generated videos, true videos, controls: each a file or a folder."""


@dataclass(frozen=True, slots=True)
class VideoFiles:
    """Videos by name. Generated and true videos without a counterpart are left out."""

    generated: Mapping[str, Path]
    true: Mapping[str, Path] = field(default_factory=dict)
    """Empty for none."""
    control: Mapping[str, Path] = field(default_factory=dict)
    """The same portraits, generated from another clip's sound; empty for none."""


def find_files(paths: Paths) -> VideoFiles:
    """Match videos by name.

    Raises:
        InputError: if a path does not exist or holds no videos, or two videos have one name.
    """
    generated, *others = (
        {} if path is None else _videos(path, role)
        for path, role in zip(paths, ("generated", "true", "other"), strict=True)
    )
    if not paths[0].is_dir():  # One file is compared with one file of any name.
        name = next(iter(generated))
        others = [
            {name: path} if path is not None and not path.is_dir() else videos
            for path, videos in zip(paths[1:], others, strict=True)
        ]
    true, control = others
    if true and not generated.keys() & true.keys():
        raise InputError("true: no video has the name of a generated one; give them the same names")
    return VideoFiles(generated, true, control)


def _videos(path: Path, role: str) -> dict[str, Path]:
    from ..media.video_reader import VIDEO_SUFFIXES

    if not path.exists():
        raise InputError(f"{role}: no file or folder at {path}; give a video or a folder of videos")
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{role}: no videos in {path}; give a video or a folder of videos")
    videos = {file.stem: file for file in files}
    if len(videos) < len(files):
        raise InputError(f"{role}: {path} has videos of one name with different suffixes; keep one of each")
    return videos
