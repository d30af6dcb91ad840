"""Cuts of a film: a picture, or a face, that changes far more than in the frames around.

Shape legend: F frames.
"""

import numpy as np

from .watching import Run

AROUND = 6
"""Frames before and after, with which a change is compared."""
RATIO = 2.5
"""Change at a cut over the second largest one around it, at least. So two cuts that are near each other are both found."""
MIN_CHANGE = 4.0
"""Mean difference of two pictures at a cut, 0 .. 255, at least."""
MIN_STEP, STEP_RATIO = 0.04, 4.0
"""Way of a face at a cut inside one view, in its heights, at least; and the same over the second longest around it."""


def find_cuts(change: np.ndarray, runs: tuple[Run, ...], first: int) -> np.ndarray:
    """Numbers of the frames that begin a new shot, rising.

    Args:
        change: (F,) difference of each frame to the one before it.
        runs: of faces in the film.
        first: number of the first of these frames.
    """
    cuts = {first + int(place) for place in np.flatnonzero(_stands_out(change, RATIO) & (change > MIN_CHANGE))}
    for run in runs:
        steps = np.concatenate([[0.0], _steps(run)])
        cuts |= {
            int(run.numbers[place]) for place in np.flatnonzero(_stands_out(steps, STEP_RATIO) & (steps > MIN_STEP))
        }
    return np.array(sorted(cuts), np.int64)


def _stands_out(values: np.ndarray, ratio: float) -> np.ndarray:
    """(F,) whether each value is above `ratio` times the second largest one around it."""
    padded = np.pad(values.astype(np.float64), AROUND)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    others = np.delete(windows, AROUND, axis=1)
    return values > ratio * np.partition(others, -2, axis=1)[:, -2]


def _steps(run: Run) -> np.ndarray:
    """(N - 1,) mean way of the landmarks from frame to frame, per frame that lies between, in heights of the face."""
    height = np.ptp(run.landmarks[:, :, 1], axis=1)
    way = np.array(
        [
            np.linalg.norm(after[:, :2] - before[:, :2], axis=1).mean()
            for before, after in zip(run.landmarks[:-1], run.landmarks[1:], strict=True)
        ]
    )
    return way / np.maximum(height[1:], 1) / np.diff(run.numbers)
