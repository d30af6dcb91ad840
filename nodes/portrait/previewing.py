"""Frames of the rig's face as IMAGE."""

import numpy as np
import torch
from torch import Tensor

from ...emo_core.face.motion import FaceMotion
from ...emo_core.face.motion_drawing import draw_motion
from ...emo_core.face.rig import load_rig
from ...emo_core.media.contact_sheet import contact_sheet, spread
from ..host.images import to_image, to_uint8
from ..host.memory import check_room
from ..host.progress import frame_progress

COLUMNS, SIDE = 4, 160
"""Frames in each of the two rows that the node shows, and their side in pixels."""


def draw(motion: FaceMotion, size: int, mode: str) -> Tensor:
    """All frames, (F, S, S, 3).

    Raises:
        InputError: if they do not fit into memory, or the size or the mode is none.
    """
    pictures = draw_motion(motion, load_rig(), size=size, mode=mode)
    check_room(len(motion), (size, size), lambda share: f"set size to {int(size * share**0.5)} at most")
    frames, report = torch.empty(len(motion), size, size, 3), frame_progress(len(motion))
    for number, picture in enumerate(pictures):
        frames[number] = to_image(picture)
        report(number + 1, picture)
    return frames


def overview(frames: Tensor) -> Tensor:
    """Two rows of evenly spread frames, (1, h, w, 3)."""
    shown = to_uint8(frames[torch.from_numpy(spread(len(frames), 2 * COLUMNS))])
    sheet = contact_sheet(shown[:COLUMNS], shown[COLUMNS:], columns=COLUMNS, side=SIDE)
    return to_image(np.asarray(sheet)[None])
