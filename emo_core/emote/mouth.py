"""The motion of the mouth for a whole sound, in overlapping windows; lips meet at m, b, p and in pauses.

Shape legend: F frames, K curves.
"""

import numpy as np
import torch

from ..face.rig import FaceRig
from .content import ContentModel
from .listening import Listening
from .prosody import Prosody

BLOCK, MARGIN, FADE = 64, 32, 8
"""Frames that a window gives, sees on both sides, and shares with the next one."""
PRESSED = 0.003
"""Most that lips overlap when they are pressed together, in heights of the face: the gap of a neutral face."""
SURE, SUREST = 0.06, 0.28
"""Probability of closed lips at which they begin to close, and at which they are shut."""


class MouthTrack:
    """Curves of lips and jaw, computed window by window."""

    def __init__(
        self,
        model: ContentModel,
        listening: Listening,
        prosody: Prosody,
        rig: FaceRig,
        *,
        curves: tuple[str, ...],
        style: int,
        amount: float,
        smoothing: float,
    ) -> None:
        """Nothing is computed yet."""
        self._model, self._listening, self._openness = model, listening, prosody.openness
        basis = rig.basis[[rig.names.index(name) for name in curves]]
        self._opening = (basis[:, 13, 1] - basis[:, 14, 1]) / (rig.mean[10, 1] - rig.mean[152, 1])
        self._style, self._amount, self._smoothing = style, amount, smoothing
        self._kept: tuple[int, np.ndarray] | None = None
        self._tail: tuple[int, np.ndarray] | None = None
        self.frames = listening.frames

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, K) of frames [first, last) in 0 .. 1."""
        parts = []
        for block in range(first // BLOCK, (last - 1) // BLOCK + 1):
            values = self._block(block)
            parts.append(values[max(first - block * BLOCK, 0) : last - block * BLOCK])
        return np.concatenate(parts)

    def _block(self, number: int) -> np.ndarray:
        """(BLOCK, K), faded over from the window before."""
        if self._kept is not None and self._kept[0] == number:
            return self._kept[1]
        start = number * BLOCK
        values = self._window(start)
        block = values[MARGIN : MARGIN + BLOCK].copy()
        if number:
            before = self._before(number)
            share = ((np.arange(FADE) + 0.5) / FADE)[:, None]
            block[:FADE] = before * (1 - share) + block[:FADE] * share
        self._tail = (number, values[MARGIN + BLOCK : MARGIN + BLOCK + FADE])
        self._kept = (number, block)
        return block

    def _before(self, number: int) -> np.ndarray:
        """(FADE, K) what the window before this one says of its first frames."""
        if self._tail is None or self._tail[0] != number - 1:
            return self._window((number - 1) * BLOCK)[MARGIN + BLOCK : MARGIN + BLOCK + FADE]
        return self._tail[1]

    @torch.no_grad()
    def _window(self, start: int) -> np.ndarray:
        """(BLOCK + 2 MARGIN, K) around a block."""
        first, last = start - MARGIN, start + BLOCK + MARGIN
        low, high = max(first, 0), min(last, self.frames)
        inputs = self._listening.inputs(low, high)
        index = torch.arange(first, last).clamp(low, high - 1) - low
        made = self._model(inputs[index][None], self._model.style.weight[self._style][None])
        values = made.coefficients[0].clamp(min=0).double().numpy() * self._amount
        sure = torch.sigmoid(made.closing[0]).double().numpy()
        shut = np.clip((sure - SURE) / (SUREST - SURE), 0, 1)
        values = closed(values, self._opening, shut * shut * (3 - 2 * shut))
        values = _smooth(values, self._smoothing)
        frames = np.arange(first, last)
        openness = self._openness[np.clip(frames, 0, self.frames - 1)] * ((frames >= 0) & (frames < self.frames))
        return np.clip(values * openness[:, None], 0, 1)


def closed(values: np.ndarray, opening: np.ndarray, shut: np.ndarray) -> np.ndarray:
    """Bring the lips together, and keep them from passing through each other.

    Curves that open the lips shrink as far as needed; those that press them together stay.

    Args:
        values: (F, K) curves.
        opening: (K,) how far each curve opens the inner lips, in heights of the face.
        shut: (F,) share by which the gap is closed, 0 .. 1.
    """
    opens = np.maximum(opening, 0)
    apart, together = values @ opens, values @ np.minimum(opening, 0)
    gap = apart + together
    wanted = np.where(gap > 0, (1 - shut) * gap, gap)
    opened = np.clip((wanted - together) / np.maximum(apart, 1e-9), 0, 1)
    pressed = np.minimum(1, (apart + PRESSED) / np.maximum(-together, 1e-9))
    return values * np.where(opening > 0, opened[:, None], np.where(opening < 0, pressed[:, None], 1.0))


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """(F, K) with a Gaussian of `sigma` frames, the ends repeated."""
    if sigma <= 0:
        return values
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], axis=1)
