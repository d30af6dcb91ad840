"""Cut one source video into clips, as a stream: memory does not grow with the length of the video.

Three readers go through the file side by side: one detects faces and decides, one cuts the pictures of the clips that are kept,
one reads their sound.
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..face.crop import Crop
from ..face.detect import FaceDetector
from ..face.framing import Framing
from ..face.landmarks import face_boxes
from ..media.sound import SAMPLE_RATE
from ..media.video_reader import SoundReader, Source, frames_at, open_source, scene_starts
from .face_runs import Faceless, Run, detect_frames, reject_run, split_pieces, split_runs
from .filters import Rejection, Rules, filter_clip
from .labels import Labels, face_margin, label, square_around
from .shards import Clip, encode_sound, encode_video

UNREADABLE = "unreadable"
"""Reason of a piece that ends the pieces of a damaged video: none of them is to be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How videos become clips. Datasets of one recipe can be joined."""

    fps: float = 25.0
    size: int = 256
    expand: float = 1.8
    """Side of the square over the longer side of the union of the face boxes."""
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 120:
            raise InputError(f"fps: got {self.fps:g}; expected 1 .. 120 (use the model's)")
        if not 32 <= self.size <= 2048 or self.size % 2:
            raise InputError(f"size: got {self.size}; expected an even number of pixels, 32 .. 2048 (use the model's)")
        if not 1 <= self.expand <= 5:
            raise InputError(f"expand: got {self.expand:g}; expected 1 .. 5 (1.8 shows head and shoulders' top)")


@dataclass(frozen=True, slots=True)
class Piece:
    """The decision on one stretch of a source."""

    start: float
    """Seconds."""
    stop: float
    reason: str
    """Empty if it is kept, else one of `filters.REASONS`."""
    detail: str = ""


def prepare_video(
    path: Path, key: str, recipe: Recipe, detector: FaceDetector, framing: Framing | None = None
) -> Iterator[tuple[Piece, Clip | None]]:
    """Cut a video into pieces, and those that are kept into clips.

    Args:
        path: any container, any rate.
        key: unique name of the source; clips are called `key-000` and so on.
        recipe: rate, size and limits.
        detector: one that gives landmarks.
        framing: place of the face in the square, instead of the recipe's `expand`.

    Yields:
        each piece with its clip, None if it is rejected. A piece of reason `UNREADABLE` comes last.
    """
    try:
        source = open_source(path)
        if source.sound_start is None:
            yield Piece(0.0, 0.0, "no sound", "the file has no sound track"), None
            return
        starts = scene_starts(source)
        cutter = _Cutter(source, key, recipe, framing)
        for run in _split_source(source, starts, recipe, detector):
            yield from cutter.cut(run, after_cut=len(starts) > 1)
    except (InputError, av.FFmpegError, ValueError, IndexError, OSError) as error:
        yield Piece(0.0, 0.0, UNREADABLE, " ".join(str(error).split())), None


def _split_source(
    source: Source, starts: list[float], recipe: Recipe, detector: FaceDetector
) -> Iterator[Run | Faceless]:
    """The runs of all scenes, which begin at `starts` in seconds."""
    frames = detect_frames(frames_at(source, recipe.fps), detector, recipe.rules)
    for _, scene in itertools.groupby(frames, lambda frame: bisect_right(starts, (frame.number + 0.5) / recipe.fps)):
        yield from split_runs(scene, recipe.rules, recipe.fps)


class _Cutter:
    """Decides on the runs of one video, and cuts the clips, both in order."""

    def __init__(self, source: Source, key: str, recipe: Recipe, framing: Framing | None) -> None:
        self._source, self._key, self._recipe, self._framing = source, key, recipe, framing
        self._frames, self._sound = frames_at(source, recipe.fps), SoundReader(source)
        self._clips = 0

    def cut(self, run: Run | Faceless, *, after_cut: bool) -> Iterator[tuple[Piece, Clip | None]]:
        """Decide on a run; `after_cut`: the video has several scenes."""
        fps, rules = self._recipe.fps, self._recipe.rules
        if isinstance(run, Faceless):
            stop = run.first + run.frames
            yield _piece(run.first, stop, fps, Rejection("no face", f"no face in {run.frames} frames")), None
            return
        rejection = reject_run(run, fps, rules, after_cut=after_cut)
        if rejection is not None:
            yield _piece(run.first, run.stop, fps, rejection), None
            return
        for part in split_pieces(run, fps, rules):
            yield self._decide(part)

    def _decide(self, run: Run) -> tuple[Piece, Clip | None]:
        fps, recipe = self._recipe.fps, self._recipe
        boxes = face_boxes(run.landmarks)
        crop = square_around(boxes, run.size, recipe.expand, recipe.size, self._framing)
        labels = label(run.landmarks, run.size, crop, run.blendshapes)
        sound = self._sound.read(*(round(number / fps * SAMPLE_RATE) for number in (run.first, run.stop)))
        rejection = filter_clip(
            labels,
            float(run.luma.mean()),
            sound,
            fps=fps,
            side=crop.side / recipe.size,
            margin=face_margin(boxes, run.size, crop),
            rules=recipe.rules,
        )
        if rejection is not None:
            return _piece(run.first, run.stop, fps, rejection), None
        return _piece(run.first, run.stop, fps, Rejection("", "")), self._clip(run, crop, labels, sound)

    def _clip(self, run: Run, crop: Crop, labels: Labels, sound: np.ndarray) -> Clip:
        self._clips += 1
        return Clip(
            key=f"{self._key}-{self._clips - 1:03d}",
            labels=labels,
            about={
                "source": self._key,
                "file": self._source.path.name,
                "start": round(run.first / self._recipe.fps, 3),
                "fps": self._recipe.fps,
                "square": (crop.left, crop.top, crop.side),
            },
            video=encode_video(self._squares(run, crop), self._recipe.fps),
            flac=encode_sound(sound),
        )

    def _squares(self, run: Run, crop: Crop) -> Iterator[np.ndarray]:
        """Read on to the run, and cut its squares out."""
        for number, picture in self._frames:
            if number >= run.first:
                yield crop.cut(picture)
            if number == run.stop - 1:
                return


def _piece(first: int, stop: int, fps: float, decision: Rejection) -> Piece:
    return Piece(round(first / fps, 3), round(stop / fps, 3), decision.reason, decision.detail)
