"""The motion of the mouth for a whole sound, in overlapping windows; lips meet at m, b, p and in pauses.

Shape legend: F frames, K curves.
"""

import numpy as np
import torch

from ..face.rig import FaceRig
from ..smoothing import gaussian
from .closure import opening_of
from .content import ContentModel
from .listening import Listening
from .prosody import Prosody
from .windows import OverlappedWindows

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
        self._opening = opening_of(rig, curves)
        self._style, self._amount, self._smoothing = style, amount, smoothing
        self._windows = OverlappedWindows(self._window)
        self.frames = listening.frames

    def take(self, first: int, last: int) -> np.ndarray:
        """(F, K) of frames [first, last) in 0 .. 1."""
        return self._windows.take(first, last)

    @torch.no_grad()
    def _window(self, first: int, last: int) -> np.ndarray:
        low, high = max(first, 0), min(last, self.frames)
        inputs = self._listening.inputs(low, high)
        index = torch.arange(first, last).clamp(low, high - 1) - low
        made = self._model(inputs[index][None], self._model.style.weight[self._style][None])
        values = made.coefficients[0].clamp(min=0).double().numpy() * self._amount
        values = closed(values, self._opening, shut_share(torch.sigmoid(made.closing[0]).double().numpy()))
        values = gaussian(values, self._smoothing)
        frames = np.arange(first, last)
        openness = self._openness[np.clip(frames, 0, self.frames - 1)] * ((frames >= 0) & (frames < self.frames))
        return np.clip(values * openness[:, None], 0, 1)


def shut_share(sure: np.ndarray) -> np.ndarray:
    """(F,) probabilities of closed lips to the share by which their gap is closed."""
    share = np.clip((sure - SURE) / (SUREST - SURE), 0, 1)
    return share * share * (3 - 2 * share)


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
