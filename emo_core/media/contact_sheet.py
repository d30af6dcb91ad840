"""Contact sheets: rows of small frames, each row from one video.

Shape legend: F frames, H W picture.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image


def contact_sheet(
    *videos: Sequence[np.ndarray] | np.ndarray, columns: int = 10, side: int = 128, strip: int = 0
) -> Image.Image:
    """Draw one row for each video, of evenly spread frames at the same times in all.

    Args:
        videos: (F, H, W, 3) uint8; F may differ, the shortest counts.
        columns: frames in a row.
        side: longer side of a drawn frame in pixels.
        strip: height of the white space under each row in pixels.
    """
    picks = spread(min(map(len, videos)), columns)
    sheet = Image.new("RGB", (columns * side, len(videos) * (side + strip)), "white")
    for row, frames in enumerate(videos):
        for column, index in enumerate(picks):
            sheet.paste(_fitted(frames[index], side), (column * side, row * (side + strip)))
    return sheet


def spread(frames: int, count: int) -> np.ndarray:
    """Numbers (count,) of evenly spread frames, the first and the last among them."""
    return np.linspace(0, frames - 1, count).round().astype(int)


def _fitted(frame: np.ndarray, side: int) -> Image.Image:
    height, width = frame.shape[:2]
    scale = side / max(height, width)
    return Image.fromarray(frame).resize((max(1, round(width * scale)), max(1, round(height * scale))))
