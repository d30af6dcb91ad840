"""The folder in which an avatar is trained: films already tracked and the renderer's checkpoints, to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.rig import FaceRig
from ..files import file_digest, writable_folder, write_json
from ..training.checkpoints import checkpoints
from .films import find_films
from .reading import Progress
from .report import Report
from .track import Track, load_track, save_track
from .tracking import track_person

SUFFIX = ".work"
TRACK, REPORT, RUN = "track.safetensors", "report.json", "renderer"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """Files of one training."""

    path: Path

    @classmethod
    def beside(cls, avatar: Path) -> WorkFolder:
        """That of an avatar's file."""
        return cls(avatar.with_name(avatar.name.removesuffix(".safetensors").removesuffix(".avatar") + SUFFIX))

    @property
    def run(self) -> Path:
        """Checkpoints and log of the renderer."""
        return self.path / RUN

    def tracked(
        self,
        sources: Sequence[Path],
        digest: str,
        detector: Callable[[], FaceDetector],
        rig: FaceRig,
        *,
        size: int,
        resume: bool,
        progress: Progress,
    ) -> tuple[Track, tuple[str, ...]]:
        """Track the films, or read what an earlier training tracked.

        Args:
            sources: films and folders.
            digest: of the films, see `digest_of`.
            detector: makes one that gives landmarks.
            rig: of the face.
            size: side of the squares.
            resume: whether an earlier training may be there.
            progress: gets the frames that are read, and all; it may raise `errors.Cancelled`.

        Returns:
            The track, and the lines of its report.

        Raises:
            InputError: if the films cannot be used, or the folder belongs to other films.
        """
        writable_folder(self.path, "avatar")
        if resume and (self.path / TRACK).exists() and (self.path / REPORT).exists():
            about = _read(self.path / REPORT)
            if about == {**about, "digest": digest, "size": size}:
                return load_track(self.path / TRACK), tuple(map(str, about["lines"]))
            raise InputError(
                f"avatar: {self.path} was begun with other films or another size; give those, choose another name, or remove that folder"
            )
        if not resume and checkpoints(self.run):
            raise InputError(
                f"avatar: {self.path} holds a training of before; go on with it (--resume), or remove that folder to begin anew"
            )
        track, report = track_person(sources, detector(), rig, size=size, progress=progress)
        lines = _lines(report)
        save_track(track, self.path / TRACK)
        write_json(self.path / REPORT, {"digest": digest, "size": size, "lines": lines, "report": asdict(report)})
        return track, lines


def digest_of(sources: Sequence[Path]) -> str:
    """One digest of all films, whatever their folder is called."""
    digests = sorted(file_digest(film) for film in find_films(sources))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _lines(report: Report) -> tuple[str, ...]:
    return tuple(report.lines())


def _read(path: Path) -> dict:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return {"digest": about["digest"], "size": about["size"], "lines": list(about["lines"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"avatar: {path} cannot be read ({error}); train without --resume") from error
