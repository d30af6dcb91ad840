"""One source video -> its clips and a report: which pieces are kept, and why the others are not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..face.crop import Crop
from ..face.detect import FaceDetector
from ..face.landmarks import face_boxes
from ..media.sound import SAMPLE_RATE
from ..media.video_reader import Source, frames_at, open_source, scenes, sound_of
from .face_runs import Run, Seen, look, pieces, reject_run, runs
from .filters import Rejection, Rules, filter_clip
from .labels import Labels, label, square_around
from .shards import Clip, encode_sound, encode_video


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How videos become clips; two datasets of one recipe can be joined."""

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
    """What became of one stretch of a source."""

    start: float
    """Seconds."""
    stop: float
    reason: str
    """Empty if it is kept, else one of `filter_clip.REASONS`."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    run: Run
    labels: Labels
    sound: np.ndarray
    square: tuple[int, int, int]


def prepare_video(path: Path, key: str, recipe: Recipe, detector: FaceDetector) -> tuple[list[Piece], Iterator[Clip]]:
    """Find the usable pieces of a video.

    Args:
        path: any container, any rate.
        key: unique name of the source; clips are called `key-000` and so on.
        recipe: rate, size and limits.
        detector: one that gives landmarks.

    Returns:
        every piece with what became of it, and the kept ones as clips, cut out as they are asked for.
    """
    try:
        source = open_source(path)
        if source.sound_start is None:
            return [Piece(0.0, 0.0, "no sound", "the file has no sound track")], iter(())
        sound = sound_of(source)
        judged = list(_judged(source, sound, recipe, detector))
    except (InputError, av.FFmpegError, ValueError, IndexError, OSError) as error:
        return [Piece(0.0, 0.0, "unreadable", " ".join(str(error).split()))], iter(())
    table = [piece for piece, _ in judged]
    return table, _clips(source, key, recipe, [kept for _, kept in judged if kept is not None])


def _judged(
    source: Source, sound: np.ndarray, recipe: Recipe, detector: FaceDetector
) -> Iterator[tuple[Piece, _Kept | None]]:
    limits, scene, seen, first = scenes(source), 0, [], 0
    cut, frame = len(limits) > 1, (0, 0)
    for number, picture in frames_at(source, recipe.fps):
        while (number + 0.5) / recipe.fps >= limits[scene][1]:
            yield from _judged_scene(seen, first, sound, frame, recipe, cut)
            scene, seen, first = scene + 1, [], number
        frame = (picture.shape[1], picture.shape[0])
        seen.extend(look([picture], detector, recipe.rules))
    yield from _judged_scene(seen, first, sound, frame, recipe, cut)


def _judged_scene(
    seen: list[Seen], first: int, sound: np.ndarray, frame: tuple[int, int], recipe: Recipe, cut: bool
) -> Iterator[tuple[Piece, _Kept | None]]:
    fps, rules = recipe.fps, recipe.rules
    found = runs(seen, first, rules)
    if seen and not found:
        yield Piece(first / fps, (first + len(seen)) / fps, "no face", f"no face in {len(seen)} frames"), None
    for run in found:
        rejected = reject_run(run, fps, rules, after_cut=cut)
        if rejected is not None:
            yield _piece(run, fps, rejected), None
            continue
        for part in pieces(run, fps, rules):
            yield _judge_part(part, sound, frame, recipe)


def _judge_part(run: Run, sound: np.ndarray, frame: tuple[int, int], recipe: Recipe) -> tuple[Piece, _Kept | None]:
    square = square_around(face_boxes(run.landmarks), frame, recipe.expand, recipe.size)
    labels = label(run.landmarks, frame, square)
    edges = [round(number / recipe.fps * SAMPLE_RATE) for number in (run.first, run.first + len(run.landmarks))]
    part = np.pad(sound[edges[0] : edges[1]], (0, max(0, edges[1] - max(edges[0], len(sound)))))
    rejected = filter_clip(
        labels, float(run.luma.mean()), part, fps=recipe.fps, side=square.side / recipe.size, rules=recipe.rules
    )
    if rejected is not None:
        return _piece(run, recipe.fps, rejected), None
    kept = _Kept(run, labels, part, (square.left, square.top, square.side))
    return _piece(run, recipe.fps, Rejection("", "")), kept


def _piece(run: Run, fps: float, verdict: Rejection) -> Piece:
    stop = run.first + len(run.landmarks)
    return Piece(round(run.first / fps, 3), round(stop / fps, 3), verdict.reason, verdict.detail)


def _clips(source: Source, key: str, recipe: Recipe, kept: list[_Kept]) -> Iterator[Clip]:
    """Decode once more, and cut the squares out; one clip is in memory at a time."""
    if not kept:
        return
    stream = frames_at(source, recipe.fps, last=max(part.run.first + len(part.run.landmarks) for part in kept))
    for index, part in enumerate(sorted(kept, key=lambda part: part.run.first)):
        crop = Crop(*part.square, recipe.size)
        pictures = []
        while len(pictures) < len(part.run.landmarks):
            number, picture = next(stream)
            if number >= part.run.first:
                pictures.append(crop.cut(picture))
        about = {
            "source": key,
            "file": source.path.name,
            "start": round(part.run.first / recipe.fps, 3),
            "fps": recipe.fps,
            "square": part.square,
        }
        yield Clip(
            key=f"{key}-{index:03d}",
            labels=part.labels,
            about=about,
            video=encode_video(np.stack(pictures), recipe.fps),
            flac=encode_sound(part.sound),
        )
