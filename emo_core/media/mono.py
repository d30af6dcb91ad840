"""One way from stereo to mono, which does not cancel channels of opposite phase.

Shape legend: C channels (1 or 2), S samples.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from einops import rearrange

OPPOSITE = -0.5
"""Correlation of the channels below which they are of opposite phase. The sum of two channels above it keeps at least half of
the power of the louder one."""


def mono_blocks(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Mix a stream to mono: the mean of both channels, the right one turned over where it has the opposite phase.

    The phase is decided for each second of the stream. In between, the right channel fades from one sign to the other, so that
    nothing clicks.

    Args:
        blocks: (C, S) of any lengths.
        rate: Hz.

    Yields:
        (S',) float32, as many samples in all.
    """
    before: tuple[np.ndarray, float] | None = None
    half = rate // 2
    for second in _seconds(blocks, rate):
        sign = _sign(second)
        if before is None:
            yield _mixed(second[:, :half], sign, sign)
        else:
            pair = np.concatenate([before[0][:, half:], second[:, :half]], axis=1)
            yield _mixed(pair, before[1], sign)
        before = second, sign
    if before is not None:
        yield _mixed(before[0][:, half:], before[1], before[1])


def _seconds(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Join blocks to (2, rate); the last one is shorter."""
    parts, count = [], 0
    for block in blocks:
        parts.append(np.broadcast_to(block, (2, block.shape[1])))
        count += block.shape[1]
        if count < rate:
            continue
        joined = np.concatenate(parts, axis=1)
        whole = count // rate * rate
        yield from rearrange(joined[:, :whole], "c (n s) -> n c s", s=rate)
        parts, count = [joined[:, whole:]], count - whole
    if count:
        yield np.concatenate(parts, axis=1)


def _sign(second: np.ndarray) -> float:
    """-1 if the channels (2, S) are of opposite phase, else 1."""
    left, right = second - second.mean(1, keepdims=True)
    scale = np.sqrt(np.dot(left, left) * np.dot(right, right))
    return -1.0 if np.dot(left, right) < OPPOSITE * scale else 1.0


def _mixed(samples: np.ndarray, first: float, last: float) -> np.ndarray:
    """Mean of the channels (2, S), with a sign of the right one that goes from `first` to `last`."""
    left, right = samples
    sign = first if first == last else np.linspace(first, last, len(right), dtype=np.float32)
    return (left + right * sign).astype(np.float32, copy=False) / np.float32(2)
