"""Tell the person from the background, once, when an avatar is trained.

Shape legend: F frames, S side of the square, M side of a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from ..smoothing import gaussian
from .pictures import Pictures, PicturesWriter

SIDE = 192
"""M: masks are enlarged smoothly when they are used."""
STEADY = 2.0
"""Standard deviation in frames of the Gaussian that stills the flicker of masks at hair."""
SOFT = (0.25, 0.75)
"""Likeness to a person that becomes 0 and 1 in a mask."""


def person_masks(pictures: Pictures, progress: Callable[[float], None] = lambda share: None) -> Pictures | None:
    """Masks (M, M, 3) grey of the person in successive pictures; None where MediaPipe's segmentation is not installed.

    `progress` gets the finished share; it may raise `errors.Cancelled`.
    """
    try:
        from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation
    except (ImportError, AttributeError):
        return None
    rows = []
    with SelfieSegmentation(model_selection=0) as segmentation:
        for number in range(len(pictures)):
            seen = segmentation.process(pictures[number]).segmentation_mask
            rows.append(np.asarray(Image.fromarray(seen.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)))
            progress((number + 1) / len(pictures))
    steady = gaussian(np.stack(rows).reshape(len(rows), -1), STEADY).reshape(-1, SIDE, SIDE)
    low, high = SOFT
    grey = np.round(np.clip((steady - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    writer = PicturesWriter()
    for mask in grey:
        writer.add(np.repeat(mask[..., None], 3, axis=2))
    return writer.done()


def enlarged(masks: np.ndarray, side: int) -> np.ndarray:
    """Masks (F, M, M, 3) uint8 to (F, S, S) float32 in 0 .. 1."""
    return np.stack(list(_resized(masks, side))).astype(np.float32) / 255


def _resized(masks: np.ndarray, side: int) -> Iterator[np.ndarray]:
    for mask in masks:
        yield np.asarray(Image.fromarray(mask[..., 0]).resize((side, side), Image.Resampling.BICUBIC))
