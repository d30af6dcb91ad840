"""Which clips lend a clip its reference: itself, and clips of the same person in another emotion.

A reference of the same clip shows the emotion that is to be drawn, so that a network need not read it elsewhere. A user's portrait does
not.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...dataset.emotion_labels import PERSON, emotions_of
from ...dataset.shards import Clip

OTHERS = 2
"""Lenders of another emotion, beside as many times the clip itself."""
UNLIKE = 0.2
"""Distance of mean strengths from which two clips show different emotions."""


def lenders(clips: Sequence[Clip]) -> Tensor:
    """(N, R) numbers of the clips that each clip may take its reference from.

    R is 1, the clip itself, unless a person is known in several emotions.
    """
    means = np.stack(
        [emotions_of(clip.labels).mean(0) for clip in clips]
    )  # NaN, and so unlike none, if one is unknown.
    people: dict[str, list[int]] = {}
    for number, clip in enumerate(clips):
        if name := clip.about.get(PERSON):
            people.setdefault(name, []).append(number)
    others = [_others(number, people.get(clip.about.get(PERSON, ""), []), means) for number, clip in enumerate(clips)]
    if not any(others):
        return torch.arange(len(clips))[:, None]
    return torch.tensor([[number] * OTHERS + (found or [number] * OTHERS) for number, found in enumerate(others)])


def _others(number: int, same: list[int], means: np.ndarray) -> list[int]:
    """`OTHERS` of the person's clips in other emotions, other ones for each clip; none if there are none."""
    unlike = [other for other in same if np.abs(means[other] - means[number]).max() > UNLIKE]
    return [unlike[(number + k * len(unlike) // OTHERS) % len(unlike)] for k in range(OTHERS)] if unlike else []
