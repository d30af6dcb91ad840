"""Where a recording says what a synthetic voice says: time warping on an encoder's features.

Shape legend: T, U features of the two sounds, D their numbers.
"""

import numpy as np

STRETCH = 0.5
"""Cost of a step in one sound alone, in units of the median distance."""


def warped(real: np.ndarray, synthetic: np.ndarray) -> tuple[int, np.ndarray]:
    """First feature of the real sound that is spoken, and for each from there on the feature of the synthetic sound.

    Args:
        real: (T, D) features of a recording with pauses before and after the words.
        synthetic: (U, D) of the same words without pauses.
    """
    real, synthetic = (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6) for rows in (real, synthetic))
    return path(1 - real @ synthetic.T)


def path(distance: np.ndarray) -> tuple[int, np.ndarray]:
    """(T, U) distances to the cheapest monotonous path through all columns: its first row, the column of each of its rows."""
    rows, columns = distance.shape
    step = STRETCH * float(np.median(distance))
    total = np.full((rows + 1, columns + 1), np.inf)
    total[:, 0] = 0
    for row in range(1, rows + 1):
        before, line = np.minimum(total[row - 1, :-1], total[row - 1, 1:] + step), total[row]
        for column in range(1, columns + 1):
            line[column] = distance[row - 1, column - 1] + min(before[column - 1], line[column - 1] + step)
    row, column = int(total[1:, columns].argmin()) + 1, columns
    chosen: list[int] = []
    while column > 0 and row > 0:
        chosen.append(column - 1)
        while column > 1 and total[row, column - 1] + step < min(
            total[row - 1, column - 1], total[row - 1, column] + step
        ):
            column -= 1
        column -= total[row - 1, column - 1] <= total[row - 1, column] + step
        row -= 1
    return row, np.array(chosen[::-1], np.int64)
