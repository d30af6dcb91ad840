"""Paste generated frames into the picture that the square was cut from."""

import numpy as np
import torch
from torch import Tensor

from ...emo_core.errors import InputError
from ...emo_core.face.crop import Crop, PasteBack
from ..host.images import to_image, to_uint8
from ..host.memory import check_room
from ..host.progress import frame_progress


def paste_back(frames: Tensor, crop: Crop, original: Tensor, feather: float) -> Tensor:
    """Paste frames (F, S, S, 3) into a picture (1, H, W, C).

    Returns:
        (F, H', W', 3). H' and W' are even, as video codecs need it: the last row or column of an odd side is repeated.

    Raises:
        InputError: if `original` is a batch or of another size than the cropped picture, or the result does not fit into memory.
    """
    if len(original) != 1:
        raise InputError(f"original: got {len(original)} pictures; expected one; wire Face Locator Mask's picture")
    picture = to_uint8(original)[0]
    paste = PasteBack(crop, picture, feather)
    odd = [side % 2 for side in picture.shape[:2]]
    height, width = (side + more for side, more in zip(picture.shape[:2], odd, strict=True))
    check_room(len(frames), (width, height), lambda share: _advice(share, len(frames), width, height))
    result, report = torch.empty(len(frames), height, width, 3), frame_progress(len(frames))
    for index, frame in enumerate(frames):
        whole = paste(to_uint8(frame[None])[0])
        result[index] = to_image(np.pad(whole, [(0, odd[0]), (0, odd[1]), (0, 0)], mode="edge"))
        report(index + 1)
    return result


def _advice(share: float, frames: int, width: int, height: int) -> str:
    return (
        f"scale the photo down to {int(width * share**0.5)} x {int(height * share**0.5)} before Face Locator Mask "
        f"(Upscale Image), or make {int(frames * share)} frames at most (fewer seconds)"
    )
