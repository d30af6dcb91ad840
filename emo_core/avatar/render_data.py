"""Examples for the mouth's network from a person's track: real frames, and how they could have been drawn.

An example is a group of successive frames. The base that is drawn over is the frame itself, or that of another moment with the
head held alike, as in use. The points are the frame's own with noise, or the base's with the frame's mouth put on. One real
mouth, of another take or at least a second away, is given to the whole group.

Shape legend: N frames of the track, T frames of a group, B = groups x T, P side of the patch, G mouths of the gallery.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..face.rig import FaceRig
from .edges import MOUTH_CHANNELS, draw_edges
from .inputs import Drawings, controls_of
from .patches import PatchPlace, place_points, spoken_region
from .pictures import Pictures, PicturesWriter
from .retrieval import Gallery, best_path, choose_mouths, lip_distances, lip_shapes, look_distances, opening
from .takes import FPS
from .track import Track
from .warping import fitted, skin_colour

APART = FPS
"""Frames between a frame and the mouth that it is drawn from."""
PARTNERS = 6
"""Other moments with the head held alike, of which one is drawn."""
SHIFT = 3.0
"""Pixels that a shift of the head by its unit counts as when moments are compared, beside `retrieval.look_distances`."""
OTHER_BASE, MOVED_POINTS = 0.5, 0.5
"""Share of groups with another base, and of those the share whose points are made as in use."""
NEAREST, RANDOM_MOUTH = 8, 0.25
"""Share of groups with one of the nearest mouths instead of the path's, and how many the nearest are."""
JITTER, SWAY = 0.3, 0.4
"""Standard deviation of the noise on points in pixels of a patch of 128: of each frame, and common to a group."""
SILENT = 0.2
"""Share of groups without sound."""
MOUTH_QUALITY = 92
"""JPEG quality of a gallery's patches."""


@dataclass(frozen=True, slots=True)
class Group:
    """T successive frames as an example."""

    targets: np.ndarray
    """(T, P, P, 3) uint8 real patches."""
    drawings: Drawings
    controls: np.ndarray
    """(T, CONTROLS)"""
    points: np.ndarray
    """(T, 478, 2) of the targets."""


class MouthFilm:
    """The patches of one person's track."""

    def __init__(
        self,
        track: Track,
        rig: FaceRig,
        codes: np.ndarray | None,
        size: int,
        *,
        mouths: int,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Cut all patches and find a real mouth for every frame.

        Args:
            track: of the person.
            rig: of its motion.
            codes: (N, 128) of the sound; None for none.
            size: P.
            mouths: largest size of the gallery.
            progress: gets the finished share; raise in it to cancel.
        """
        self.track, self.rig, self.codes, self.size = track, rig, codes, size
        self.take = track.take_numbers
        self.places = PatchPlace(
            np.concatenate([PatchPlace.of(track.landmarks[t.rows], track.neutral, size).matrices for t in track.takes]),
            size,
        )
        self.points = self.places.inside(track.landmarks).astype(np.float32)
        self.patches, colours = self._cut(progress)
        self.looks = np.concatenate([track.motion.rotation, colours], axis=1).astype(np.float32)
        shown = np.flatnonzero(track.shown)
        lips = lip_shapes(self.points, size)
        self.mouths = shown[choose_mouths(lips[shown], mouths)]
        self._open = opening(lips)
        self.path, self._near = self._find_mouths(lips)
        self._starts = {count: self._runs(count) for count in (1, 3)}

    def __len__(self) -> int:
        """Frames that can be learnt."""
        return len(self._starts[1])

    def gallery(self) -> Gallery:
        """The real mouths, for use."""
        writer = PicturesWriter(MOUTH_QUALITY)
        for frame in self.mouths:
            writer.add(self.patches[frame])
        return Gallery(writer.done(), self.points[self.mouths], self.looks[self.mouths], self.size)

    def draw(self, count: int, random: np.random.Generator) -> Group:
        """A group of `count` frames, 1 or 3."""
        starts = self._starts[count if len(self._starts[count]) else 1]
        weights = 1 + 2 * self._open[starts] / max(self._open[starts].mean(), 1e-6)
        frames = random.choice(starts, p=weights / weights.sum()) + np.arange(count)
        frames = np.minimum(frames, len(self.track) - 1)
        bases = self._base(frames, random) if random.random() < OTHER_BASE else frames
        middle = frames[count // 2]
        mouth = random.choice(self._near[middle]) if random.random() < RANDOM_MOUTH else self.path[middle]
        moved = bases is not frames and random.random() < MOVED_POINTS
        points = self.moved_points(frames, bases) if moved else self.points[frames]
        noise = random.normal(0, SWAY, (1, 478, 2)) + random.normal(0, JITTER, (count, 478, 2))
        silent = random.random() < SILENT
        return self.group(frames, bases, np.full(count, mouth), points + noise * self.size / 128, silent=silent)

    def examples(self, count: int) -> np.ndarray:
        """So many frames from all openings, the widest last."""
        starts = self._starts[1]
        order = starts[np.argsort(self._open[starts], kind="stable")]
        return order[np.linspace(0, len(order) - 1, count).round().astype(int)]

    def other_bases(self, frames: np.ndarray) -> np.ndarray:
        """(T,) frames of other moments with the head held alike, always the same ones."""
        random = np.random.default_rng(0)
        return np.concatenate([self._base(frames[place : place + 1], random) for place in range(len(frames))])

    def group(
        self, frames: np.ndarray, bases: np.ndarray, mouths: np.ndarray, points: np.ndarray, *, silent: bool = False
    ) -> Group:
        """An example of given frames (T,), drawn over bases (T,), from real mouths (T,), with points (T, 478, 2)."""
        size, motion = self.size, self.track.motion
        targets = np.stack([self.patches[frame] for frame in frames])
        other = {int(frame): self.patches[frame] for frame in {*bases.tolist(), *mouths.tolist()}}
        regions = [spoken_region((self.points[b], self.points[f]), size) for b, f in zip(bases, frames, strict=True)]
        real, based = (np.stack([other[int(frame)] for frame in some]) for some in (mouths, bases))
        drawings = Drawings(
            edges=draw_edges(points, size, channels=MOUTH_CHANNELS),
            mouths=fitted(real, self.points[mouths], points, based),
            mouth_edges=draw_edges(self.points[mouths], size, channels=MOUTH_CHANNELS[:2]),
            bases=based,
            regions=np.stack(regions),
        )
        codes = None if self.codes is None or silent else self.codes[frames]
        controls = controls_of(motion[frames], motion[bases], codes)
        return Group(targets, drawings, controls, self.points[frames])

    def _cut(self, progress: Callable[[float], None]) -> tuple[Pictures, np.ndarray]:
        """The patches, and the colour of the skin in each (N, 3)."""
        writer, colours, count = PicturesWriter(), [], len(self.track)
        for frame in range(count):
            patch = self.places.cut(self.track.pictures[frame], frame)
            writer.add(patch)
            colours.append(skin_colour(patch))
            if frame % 100 == 0:
                progress(frame / count)
        return writer.done(), np.stack(colours)

    def _find_mouths(self, lips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Frame of the real mouth for each frame (N,), along a path; and of the nearest ones (N, NEAREST)."""
        path, near = np.zeros(len(lips), np.int64), np.zeros((len(lips), NEAREST), np.int64)
        for take in self.track.takes:
            frames = np.arange(take.first, take.stop)
            costs = lip_distances(lips[frames], lips[self.mouths])
            costs += look_distances(self.looks[frames], self.looks[self.mouths])
            same = self.take[self.mouths] == self.take[take.first]
            for apart in (APART, 3, 1):  # A short track has nothing that is far enough away.
                barred = same & (np.abs(frames[:, None] - self.mouths) < apart)
                if not barred.all(1).any():
                    costs = np.where(barred, np.inf, costs)
                    break
            path[frames] = self.mouths[best_path(costs)]
            order = np.argsort(costs, axis=1)[:, :NEAREST]
            order = np.where(np.isfinite(np.take_along_axis(costs, order, 1)), order, order[:, :1])
            near[frames] = self.mouths[np.pad(order, ((0, 0), (0, NEAREST - order.shape[1])), mode="edge")]
        return path, near

    def _runs(self, count: int) -> np.ndarray:
        """First frames of all runs of so many frames that are shown, inside a take."""
        shown, starts = self.track.shown, np.arange(max(0, len(self.track) - count + 1))
        good = np.all([shown[starts + step] for step in range(count)], axis=0)
        return starts[good & (self.take[starts] == self.take[starts + count - 1])]

    def _base(self, frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Successive frames of another moment with the head held alike; the same ones if there are none."""
        starts = self._starts[len(frames) if len(self._starts[len(frames)]) else 1]
        some = random.choice(starts, min(len(starts), 40 * PARTNERS), replace=False)
        some = some[(self.take[some] != self.take[frames[0]]) | (np.abs(some - frames[0]) >= APART)]
        if not len(some):
            return frames
        far = look_distances(self.looks[frames[:1]], self.looks[some])[0]
        far += SHIFT * np.linalg.norm(
            self.track.motion.translation[some] - self.track.motion.translation[frames[0]], axis=1
        )
        return random.choice(some[np.argsort(far)[:PARTNERS]]) + np.arange(len(frames))

    def moved_points(self, frames: np.ndarray, bases: np.ndarray) -> np.ndarray:
        """(T, 478, 2) points of the bases (T,) with the mouth of the frames (T,), as in use."""
        motion, landmarks = self.track.motion, self.track.landmarks[bases]
        placed = place_points(landmarks, motion[bases], motion[frames], self.track.neutral, self.rig)
        return self.places[bases].inside(placed)
