"""Contact sheets: true frames over generated ones."""

import numpy as np
from PIL import Image


def contact_sheet(true: np.ndarray, made: np.ndarray, columns: int = 10, side: int = 128) -> Image.Image:
    """Evenly chosen frames of two videos (F, S, S, 3) uint8: upper row true, lower row generated."""
    picks = np.linspace(0, min(len(true), len(made)) - 1, columns).round().astype(int)
    sheet = Image.new("RGB", (columns * side, 2 * side), "white")
    for row, frames in enumerate((true, made)):
        for column, index in enumerate(picks):
            sheet.paste(Image.fromarray(frames[index]).resize((side, side)), (column * side, row * side))
    return sheet
