"""Runs of frames that show the same face. Frames are read as a stream; only the current run is in memory.

Shape legend: F frames.
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..face.box import Box
from ..face.detect import Face, FaceDetector
from ..face.tracking import FaceTracker
from ..smoothing import interpolated
from .filters import Rejection, Rules

MIN_OVERLAP = 0.3
"""Intersection over union of a face's boxes in successive frames, at least."""
MAX_CROWDED = 0.1
"""Share of frames with a second face above which a run is rejected."""
PIECES_HELD = 5
"""A run of more than twice as many pieces of the longest allowed length is cut before its end is known."""
LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601 weights of red, green and blue."""


@dataclass(frozen=True, slots=True)
class FrameFaces:
    """The detector's result for one frame."""

    number: int
    size: tuple[int, int]
    """Width and height of the frame in pixels."""
    face: Face | None
    """The highest face, its landmarks as float32."""
    crowded: bool = False
    """Whether there is a second face of similar height."""
    luma: float = 0.0
    """Mean brightness of the face, 0 .. 255."""


@dataclass(frozen=True, slots=True)
class Run:
    """The same face in successive frames."""

    first: int
    """Number of the first frame."""
    size: tuple[int, int]
    """Width and height of the frames in pixels."""
    landmarks: np.ndarray
    """(F, 478, 3) float32 in pixels of the source video."""
    blendshapes: np.ndarray | None
    """(F, 52) float32; None if the detector gives none."""
    luma: np.ndarray
    """(F,) mean brightness of the face, 0 .. 255."""
    crowded: float
    """Share of frames with a second face."""

    @property
    def frames(self) -> int:
        """F."""
        return len(self.landmarks)

    @property
    def stop(self) -> int:
        """Number of the frame after the last."""
        return self.first + self.frames

    def part(self, start: int, stop: int) -> "Run":
        """Frames [start, stop), counted from the run's first."""
        rows = slice(start, stop)
        shapes = None if self.blendshapes is None else self.blendshapes[rows]
        return replace(
            self,
            first=self.first + start,
            landmarks=self.landmarks[rows],
            blendshapes=shapes,
            luma=self.luma[rows],
        )


@dataclass(frozen=True, slots=True)
class Faceless:
    """A scene without any face."""

    first: int
    """Number of the first frame."""
    frames: int


def detect_frames(
    frames: Iterable[tuple[int, np.ndarray]], detector: FaceDetector, rules: Rules
) -> Iterator[FrameFaces]:
    """Detect the faces of every frame.

    Args:
        frames: number and picture (H, W, 3) uint8.
        detector: one that gives landmarks.
        rules: `several` is the height from which a second face counts.
    """
    for number, picture in frames:
        size = (picture.shape[1], picture.shape[0])
        faces = detector.detect(picture)
        if not faces:
            yield FrameFaces(number, size, None)
            continue
        face = max(faces, key=lambda face: face.box.height)
        others = [other.box.height / face.box.height for other in faces if other is not face]
        crowded = bool(others) and max(others) >= rules.several
        yield FrameFaces(number, size, _float32(face), crowded, _luma(picture, face.box))


def split_runs(frames: Iterable[FrameFaces], rules: Rules, fps: float) -> Iterator[Run | Faceless]:
    """Split a scene into runs.

    A run ends if the face is missing for more than `rules.missing` frames, moves too far, or is no longer the highest. Shorter
    gaps are filled linearly. A run that would grow beyond `2 * PIECES_HELD` pieces of `rules.max_seconds` gives off its first
    `PIECES_HELD` pieces as a run of their own, so memory is limited and no short rest remains.

    Args:
        frames: all frames of the scene, in order.
        rules: the limits.
        fps: frames per second.
    """
    part = max(1, int(PIECES_HELD * rules.max_seconds * fps))
    tracker, held, first, count, empty = None, [], 0, 0, True
    for frame in frames:
        first, count = (first if count else frame.number), count + 1
        faces = [] if frame.face is None else [frame.face]
        if tracker is not None and tracker.follow(faces) is None and (faces or tracker.gap > rules.missing):
            yield _joined(held)
            tracker, held = None, []
        if not faces:
            continue
        tracker = tracker or FaceTracker(frame.face, faces, min_overlap=MIN_OVERLAP)
        held.append(frame)
        empty = False
        if frame.number - held[0].number + 1 > 2 * part:
            cut = bisect_left(held, held[0].number + part, key=lambda frame: frame.number)
            yield _joined(held[:cut])
            held = held[cut:]
    if held:
        yield _joined(held)
    elif empty and count:
        yield Faceless(first, count)


def split_pieces(run: Run, fps: float, rules: Rules) -> list[Run]:
    """Split a run into equal pieces of at most `rules.max_seconds`.

    If equal pieces would be shorter than `rules.min_seconds`, they have the greatest length, and the rest is left out.
    """
    frames, longest = run.frames, rules.max_seconds * fps
    count = int(np.ceil(frames / longest))
    if frames / count < rules.min_seconds * fps:
        count = int(frames // longest)
        frames = round(count * longest)
    edges = np.linspace(0, frames, count + 1).round().astype(int)
    return [run.part(start, stop) for start, stop in itertools.pairwise(edges)]


def reject_run(run: Run, fps: float, rules: Rules, *, after_cut: bool) -> Rejection | None:
    """The reason to reject a whole run; None if its pieces may be kept."""
    if run.crowded > MAX_CROWDED:
        return Rejection("several faces", f"a second face in {run.crowded:.0%} of the frames")
    seconds = run.frames / fps
    if seconds < rules.min_seconds:
        reason = "cuts" if after_cut else "too short"
        return Rejection(reason, f"one face without a break for {seconds:.1f} s, {rules.min_seconds:g} s are needed")
    return None


def _float32(face: Face) -> Face:
    shapes = None if face.blendshapes is None else face.blendshapes.astype(np.float32)
    return replace(face, landmarks=face.landmarks.astype(np.float32), blendshapes=shapes)


def _joined(frames: list[FrameFaces]) -> Run:
    """Join frames with a face to a run; frames between them are interpolated."""
    numbers = np.array([frame.number for frame in frames])
    places = np.arange(numbers[0], numbers[-1] + 1)
    faces = [frame.face for frame in frames]
    shapes = None
    if faces[0].blendshapes is not None:
        shapes = interpolated(np.stack([face.blendshapes for face in faces]), numbers, places)
    return Run(
        first=int(numbers[0]),
        size=frames[0].size,
        landmarks=interpolated(np.stack([face.landmarks for face in faces]), numbers, places),
        blendshapes=shapes,
        luma=np.interp(places, numbers, [frame.luma for frame in frames]),
        crowded=float(np.mean([frame.crowded for frame in frames])),
    )


def _luma(picture: np.ndarray, box: Box) -> float:
    height, width = picture.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    part = picture[top : max(top + 1, min(height, int(box.bottom))), left : max(left + 1, min(width, int(box.right)))]
    return float(part.reshape(-1, 3).mean(0) @ LUMA) if part.size else 0.0
