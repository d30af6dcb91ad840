"""One face through a scene: landmarks of every frame, in runs in which it is the same face and the only one.

Shape legend: F frames.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..face.box import Box
from ..face.detect import Face, FaceDetector
from .filters import Rejection, Rules

JUMP = 0.3
"""Boxes of successive frames that overlap less than this are not the same face."""
CROWDED = 0.1
"""Share of frames with a second face from which a run is rejected."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the detector saw in one frame."""

    face: Face | None
    """The largest."""
    second: float
    """Height of the next one over that of the largest; 0 for none."""
    luma: float
    """Mean brightness of the largest face."""


@dataclass(frozen=True, slots=True)
class Run:
    """The same face in successive frames."""

    first: int
    """Number of the first frame."""
    landmarks: np.ndarray
    """(F, 478, 3) in pixels of the source."""
    luma: np.ndarray
    """(F,)"""
    crowded: float
    """Share of frames with a second face."""

    def part(self, start: int, stop: int) -> "Run":
        """Frames [start, stop) of it, counted from its first."""
        return Run(self.first + start, self.landmarks[start:stop], self.luma[start:stop], self.crowded)


def look(frames: Iterable[np.ndarray], detector: FaceDetector, rules: Rules) -> Iterator[Seen]:
    """Detect in every frame (H, W, 3) uint8."""
    for frame in frames:
        faces = detector.detect(frame)
        if not faces:
            yield Seen(None, 0.0, 0.0)
            continue
        face = max(faces, key=lambda found: found.box.height)
        others = [other.box.height / face.box.height for other in faces if other is not face]
        second = max(others, default=0.0)
        yield Seen(face, second if second >= rules.several else 0.0, _luma(frame, face.box))


def runs(seen: list[Seen], first: int, rules: Rules) -> list[Run]:
    """Cut a scene where the face is gone for longer than `rules.missing` frames, or jumps.

    Args:
        seen: the scene's frames.
        first: number of its first frame.
        rules: the limits.
    """
    found: list[list[int]] = []
    for index, frame in enumerate(seen):
        if frame.face is None:
            continue
        last = found[-1][-1] if found else None
        close = last is not None and index - last <= rules.missing + 1
        if close and seen[last].face.box.overlap(frame.face.box) > JUMP:
            found[-1].append(index)
        else:
            found.append([index])
    return [_run(seen, indices, first) for indices in found]


def pieces(run: Run, fps: float, rules: Rules) -> list[Run]:
    """Cut a run into equal parts that are not too long; where they would be too short, into the longest, and leave the rest."""
    frames, longest = len(run.landmarks), rules.max_seconds * fps
    count = int(np.ceil(frames / longest))
    if frames / count < rules.min_seconds * fps:
        count = int(frames // longest)
        frames = round(count * longest)
    edges = np.linspace(0, frames, count + 1).round().astype(int)
    return [run.part(start, stop) for start, stop in itertools.pairwise(edges)]


def reject_run(run: Run, fps: float, rules: Rules, *, after_cut: bool) -> Rejection | None:
    """Why a run is of no use, before it is looked at in detail."""
    if run.crowded > CROWDED:
        return Rejection("several faces", f"a second face in {run.crowded:.0%} of the frames")
    seconds = len(run.landmarks) / fps
    if seconds < rules.min_seconds:
        where = "cuts" if after_cut else "too short"
        return Rejection(where, f"one face without a break for {seconds:.1f} s, {rules.min_seconds:g} s are needed")
    return None


def _run(seen: list[Seen], indices: list[int], first: int) -> Run:
    """Bridge the frames without a face linearly."""
    places = np.arange(indices[0], indices[-1] + 1)
    known = np.stack([seen[i].face.landmarks for i in indices]).reshape(len(indices), -1)
    low = np.searchsorted(indices, places, side="right") - 1
    high = np.minimum(low + 1, len(indices) - 1)
    gap = np.maximum(np.take(indices, high) - np.take(indices, low), 1)
    share = ((places - np.take(indices, low)) / gap)[:, None]
    landmarks = known[low] * (1 - share) + known[high] * share
    crowded = float(np.mean([seen[i].second > 0 for i in indices]))
    luma = np.interp(places, indices, [seen[i].luma for i in indices])
    return Run(first + indices[0], landmarks.reshape(len(places), -1, 3), luma, crowded)


def _luma(frame: np.ndarray, box: Box) -> float:
    height, width = frame.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    part = frame[top : max(top + 1, min(height, int(box.bottom))), left : max(left + 1, min(width, int(box.right)))]
    return float((part.reshape(-1, 3).mean(0) @ (0.299, 0.587, 0.114)) if part.size else 0.0)
