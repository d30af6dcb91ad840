"""Linear regression with a penalty on its size (ridge), judged by predictions of data that it did not see (cross-validation).

Shape legend: N rows, J columns, W waves, T targets, K curves, L penalties, D folds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PENALTIES = 10.0 ** np.arange(-1.5, 2.75, 0.5)
"""L penalties to choose from, over a hundredth of the rows."""
SHARES = (0.0, 0.5, 1.0)
"""Of the content model's curves in a prediction."""
CONSTANT = 10.0
"""Value of the column for the mean: so large that its weight is hardly penalised."""
TINY = 1e-3
"""Deviation over the block's mean deviation under which a column is not made larger."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Columns to unit scale, so that each block of columns counts the same however wide it is."""

    mean: np.ndarray
    """(J,)"""
    gain: np.ndarray
    """(J,)"""

    @classmethod
    def of(cls, rows: np.ndarray, blocks: tuple[int, ...]) -> "Scaling":
        """Fit to (N, J) rows; `blocks` are the widths of the blocks of columns."""
        mean, deviation = rows.mean(0), rows.std(0)
        parts = np.split(deviation, np.cumsum(blocks)[:-1])
        gain = [1 / np.maximum(part, max(TINY * part.mean(), 1e-9)) / np.sqrt(len(part)) for part in parts]
        return cls(mean, np.concatenate(gain))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(N, J) to (N, J + 1), with the column for the mean."""
        scaled = (rows - self.mean) * self.gain
        return np.concatenate([scaled, np.full((len(rows), 1), CONSTANT)], axis=1, dtype=np.float32)

    def unscaled(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (J + 1, T) of scaled columns to weights (J, T) and bias (T,) of the rows themselves."""
        own = weights[:-1] * self.gain[:, None]
        return own, CONSTANT * weights[-1] - self.mean @ own


@dataclass(frozen=True, slots=True)
class Waves:
    """Cosines of random mixtures of columns. A linear regression on them is one with a Gaussian kernel on the columns.

    Source: Rahimi and Recht, Random Features for Large-Scale Kernel Machines, 2007.
    """

    mixture: np.ndarray
    """(J, W) float16"""
    phase: np.ndarray
    """(W,)"""

    @classmethod
    def drawn(cls, scaling: Scaling, count: int, frequency: float, seed: int) -> "Waves":
        """W waves of columns that a scaling brings to unit scale; `frequency` is the inverse of the kernel's width."""
        rng = np.random.default_rng(seed)
        mixture = rng.normal(scale=frequency, size=(len(scaling.mean), count)) * scaling.gain[:, None]
        mixture = mixture.astype(np.float16)
        return cls(mixture, rng.uniform(0, 2 * np.pi, count) - scaling.mean @ mixture.astype(np.float64))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(N, J) to (N, W) float32."""
        return np.cos((rows @ self.mixture.astype(np.float32) + self.phase).astype(np.float32))


def weights_at(gram: np.ndarray, moment: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """The weights (J, T) at each of PENALTIES.

    Args:
        gram: (J, J) products of the columns.
        moment: (J, T) products of columns and targets.
        rows: N.
    """
    values, vectors = np.linalg.eigh(gram.astype(np.float64))
    values, turned = np.maximum(values, 0), vectors.T @ moment
    for penalty in PENALTIES * rows / 100:
        yield vectors @ (turned / (values + penalty)[:, None])


def unseen_predictions(rows: np.ndarray, targets: np.ndarray, folds: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Predictions of each fold by the weights that the others give.

    Args:
        rows: (N, J) scaled.
        targets: (N, T).
        folds: (N,) numbers 0 .. D - 1.
        near: (N, D) bool: rows that are too near to a fold to teach what predicts it, and its own.

    Returns:
        (L, N, T) float32.
    """
    made = np.empty((len(PENALTIES), *targets.shape), np.float32)
    gram, moment = rows.T @ rows, rows.T @ targets
    for fold in range(near.shape[1]):
        out, own = rows[near[:, fold]], folds == fold
        left = len(rows) - len(out)
        part = weights_at(gram - out.T @ out, moment - out.T @ targets[near[:, fold]], left)
        for number, weights in enumerate(part):
            made[number, own] = rows[own] @ weights
    return made


@dataclass(frozen=True, slots=True)
class Reading:
    """A regression: rows @ weights + bias + share * content predicts the curves."""

    weights: np.ndarray
    """(J, K)"""
    bias: np.ndarray
    """(K,)"""
    share: float
    unseen: np.ndarray
    """(N, K) predictions of each fold by the others."""


def best_reading(
    rows: np.ndarray,
    content: np.ndarray,
    curves: np.ndarray,
    opening: np.ndarray,
    blocks: tuple[int, ...],
    folds: tuple[np.ndarray, np.ndarray],
) -> Reading:
    """The penalty and the share of the content model that predict best how far lips open that were not learnt.

    Args:
        rows: (N, J) what is read.
        content: (N, K) curves of the content model.
        curves: (N, K) the person's.
        opening: (K,) how far each curve opens the lips.
        blocks: widths of the blocks of columns, see `Scaling`.
        folds: see `unseen_predictions`: folds and near.
    """
    scaling = Scaling.of(rows, blocks)
    rows, count = scaling(rows), curves.shape[1]
    targets = np.concatenate([curves, content], axis=1).astype(np.float32)
    unseen = unseen_predictions(rows, targets, *folds)
    best, choice = np.inf, (0, 0.0)
    for number, made in enumerate(unseen):
        for share in SHARES:
            # Regression is linear in its targets: what the curves are beyond the content model's needs no fit of its own.
            error = (made[:, :count] - curves + share * (content - made[:, count:])) @ opening
            if np.square(error).mean() < best:
                best, choice = np.square(error).mean(), (number, share)
    number, share = choice
    weights = list(weights_at(rows.T @ rows, rows.T @ targets, len(rows)))[number]
    own, bias = scaling.unscaled(weights[:, :count] - share * weights[:, count:])
    made = unseen[number]
    return Reading(own, bias, share, made[:, :count] + share * (content - made[:, count:]))
