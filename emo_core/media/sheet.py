"""A grid of pictures, with their names under them.

Shape legend: H W of one picture in pixels.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 4
STRIP = 8
"""Width of a picture over the height of the strip for its name."""
PAPER, INK = (24, 26, 32), (236, 226, 208)
"""RGB."""


class Sheet:
    """A grid of pictures of one size."""

    def __init__(self, names: Sequence[str] | None, count: int, size: tuple[int, int], columns: int = COLUMNS) -> None:
        """Lay out so many pictures of a width and height; `names` are written under them."""
        self._width, self._height = size
        self._columns, strip = min(count, columns), self._width // STRIP if names else 0
        self._row = self._height + strip
        rows = -(-count // self._columns)
        # Video codecs need even sides.
        width, height = (side + side % 2 for side in (self._columns * self._width, rows * self._row))
        picture = Image.new("RGB", (width, height), PAPER)
        pen = ImageDraw.Draw(picture)
        for number, name in enumerate(names or ()):
            top, left = self._place(number)
            middle = left + self._width / 2, top + self._height + strip / 2
            pen.text(middle, name, fill=INK, font=_fitting(name, self._width), anchor="mm")
        self.blank = np.asarray(picture)
        """The sheet without pictures, (rows of pixels, columns of pixels, 3) uint8."""

    def filled(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """The sheet with pictures, each (H, W, 3) uint8."""
        sheet = self.blank.copy()
        for number, picture in enumerate(pictures):
            top, left = self._place(number)
            sheet[top : top + self._height, left : left + self._width] = picture
        return sheet

    def _place(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, self._columns)
        return row * self._row, column * self._width


def _fitting(name: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest font in which a name fits under its picture."""
    points = 0.7 * width / STRIP
    font = ImageFont.load_default(points)
    return ImageFont.load_default(points * min(1.0, 0.94 * width / max(1.0, font.getlength(name))))
