"""Head and brow motion from real units, joined by how the voice sounds.

Units of 20 to 60 frames are cut anywhere from the bank or its mirror image. A Viterbi search with a beam chooses those whose own sound
is like the sound to speak, and whose pose and velocity fit where the last one ends. The rest of the difference decays smoothly after a
joint. What was used is not used again for a while.

Shape legend: F frames, N frames of the bank, A frames that a step compares.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from .bank import CURVES, MotionBank
from .prosody import Prosody

STEP = 10
"""Frames between two decisions."""
SHORTEST, LONGEST = 20, 60
"""Frames of a unit."""
AHEAD = 6
"""Frames after a step whose sound counts, too: heads lead the voice."""
REST = 600
"""Frames for which used motion is not used again: 24 s, or half of a shorter bank."""
BEAM, JUMPS = 10, 6
"""Hypotheses, and joints that each one tries at a step."""
GRID = 2
"""Frames between two places where units may start."""
SOUND, POSE, VELOCITY, JOINT, NOISE = 1.0, 0.08, 0.5, 0.25, 0.15
"""Weights of the costs: sound, degrees, degrees per frame, of any joint, and of chance."""
STALE = 5.0
"""Cost of each frame of a unit that was used lately; a bank that is too short must repeat itself."""
BLEND = 25
"""Frames in which the difference at a joint decays."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion of F frames before it is scaled: rotation (F, 3), translation (F, 3), curves (F, U), gaze (F, 2)."""

    rotation: np.ndarray
    translation: np.ndarray
    curves: np.ndarray
    gaze: np.ndarray


@dataclass(slots=True)
class _Path:
    """A hypothesis of the search."""

    cost: float
    place: int
    """Frame of the bank, or of its mirror behind it, that comes next; -1 before the first."""
    length: int
    """Frames of the current unit so far."""
    used: np.ndarray
    """(N,) time at which each frame of the bank was used last."""
    steps: tuple[tuple[int, bool], ...] = field(default=())
    """Place and whether it is a joint, of each step since the last `take`."""


class UnitTrack:
    """Chooses and joins units, some seconds at a time."""

    def __init__(self, bank: MotionBank, prosody: Prosody, rng: np.random.Generator) -> None:
        """Nothing is chosen yet. `prosody` is of the sound to speak."""
        mirror = bank.mirrored()
        self._count = len(bank.rotation)
        self._rest = min(REST, self._count // 2)
        both = [(getattr(bank, name), getattr(mirror, name)) for name in ("rotation", "translation", "curves", "gaze")]
        self._parts = [np.concatenate(pair).astype(np.float64) for pair in both]
        self._values = np.concatenate(self._parts, axis=1)
        self._room = np.concatenate([bank.room, bank.room])
        velocity = np.diff(self._parts[0], axis=0, prepend=self._parts[0][:1])
        velocity[np.diff(self._room, prepend=0) > 0] = 0  # The first frame of a film.
        self._velocity = velocity
        index = np.minimum(np.arange(self._count)[:, None] + np.arange(STEP + AHEAD), self._count - 1)
        self._heard = bank.features[index].reshape(self._count, -1)
        self._heard_size = np.square(self._heard).mean(1)
        self._prosody, self._rng, self._time = prosody, rng, 0
        starts = np.arange(0, 2 * self._count, GRID)
        shortest = min(SHORTEST, int(self._room.max()))
        self._starts = starts[self._room[starts] >= shortest]
        self._begins = self._parts[0][self._starts], self._velocity[self._starts]
        self._best = _Path(0.0, -1, 0, np.full(self._count, -REST))
        self._last: np.ndarray | None = None
        self._offset = np.zeros((2, self._values.shape[1]))
        self._age = BLEND

    def take(self, steps: int) -> Motion:
        """The next `steps` × STEP frames."""
        paths = [self._best]
        wanted = self._prosody.features(self._time, self._time + steps * STEP + AHEAD)
        for number in range(steps):
            part = wanted[number * STEP : (number + 1) * STEP + AHEAD]
            paths = self._extended(paths, part.ravel(), self._time + number * STEP)
        self._time += steps * STEP
        best = paths[0]
        values = self._joined(best.steps)
        best.steps, best.cost = (), 0.0
        self._best = best
        edges = np.cumsum([0, 3, 3, len(CURVES), 2])
        return Motion(*(values[:, first:last] for first, last in itertools.pairwise(edges)))

    def _extended(self, paths: list[_Path], wanted: np.ndarray, time: int) -> list[_Path]:
        # The mean square of the difference, as a product: no array of all differences is made.
        like = SOUND * (self._heard_size - 2 * (self._heard @ wanted) / len(wanted) + np.square(wanted).mean())
        chance = NOISE * self._rng.gumbel(size=len(self._starts))
        found = []
        for path in paths:
            onward = self._continued(path, like, time)
            found += onward
            if not onward or path.length >= SHORTEST:
                found += self._jumped(path, like, chance, time)
        return sorted(found, key=lambda path: path.cost)[:BEAM]

    def _continued(self, path: _Path, like: np.ndarray, time: int) -> list[_Path]:
        place = path.place
        if place < 0 or path.length >= LONGEST or place >= 2 * self._count or self._room[place] < STEP:
            return []
        own = place % self._count
        if (path.used[own : own + STEP] > time - self._rest).any():
            return []
        return [self._with(path, place, float(like[own]), joint=False, time=time)]

    def _jumped(self, path: _Path, like: np.ndarray, chance: np.ndarray, time: int) -> list[_Path]:
        starts, own = self._starts, self._starts % self._count
        cost = like[own] + chance + JOINT
        if path.place >= 0:
            end = path.place - 1
            poses, velocities = self._begins
            cost = cost + POSE * _length(poses - self._parts[0][end])
            cost = cost + VELOCITY * _length(velocities - self._velocity[end])
        recent = np.concatenate([[0], np.cumsum(path.used > time - self._rest)])
        stale = recent[np.minimum(own + SHORTEST, self._count)] - recent[own]
        cost = cost + STALE * stale
        best = np.argpartition(cost, min(JUMPS, len(cost) - 1))[:JUMPS]
        return [self._with(path, int(starts[k]), float(cost[k]), joint=True, time=time) for k in best]

    def _with(self, path: _Path, place: int, cost: float, *, joint: bool, time: int) -> _Path:
        used = path.used.copy()
        used[place % self._count : place % self._count + STEP] = time
        length = STEP if joint else path.length + STEP
        return _Path(path.cost + cost, place + STEP, length, used, (*path.steps, (place, joint)))

    def _joined(self, steps: tuple[tuple[int, bool], ...]) -> np.ndarray:
        """Values of the frames, with what is left of the difference at each joint."""
        rows = []
        for place, joint in steps:
            values = self._values[place : place + STEP]
            if joint and self._last is not None:
                here, before = self._last
                follow = self._values[place + 1] - self._values[place]
                speed = here - before
                self._offset = np.stack([here + speed - values[0], speed - follow])
                self._age = 0
            time = np.clip((self._age + np.arange(STEP)) / BLEND, 0, 1)[:, None]
            rest, slope = (1 + 2 * time) * (1 - time) ** 2, time * (1 - time) ** 2
            values = values + rest * self._offset[0] + slope * BLEND * self._offset[1]
            self._age += STEP
            self._last = np.stack([values[-1], values[-2]])
            rows.append(values)
        return np.concatenate(rows)


def _length(values: np.ndarray) -> np.ndarray:
    """(N, 3) to (N,)."""
    return np.sqrt(np.einsum("ni,ni->n", values, values))
