"""Frames of a video over the loudness of its sound: `python -m tools.contact_sheet VIDEO OUT.jpg`.

Rows of frames, evenly spread; under each row the loudness of the sound at that time, with a mark at each frame.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from emo_core.media.contact_sheet import contact_sheet, spread
from emo_core.media.sound import SAMPLE_RATE, load_sound
from emo_core.media.video_reader import frames_at, open_source

STRIP = 40
"""Pixels of the loudness strip under a row."""
PEAK = 4.0
"""Amplitude that fills the strip, for speech of unit RMS."""


def draw_sheet(path: Path, columns: int, rows: int, side: int) -> Image.Image:
    """Draw the sheet of a video."""
    source = open_source(path)
    frames = [picture for _, picture in frames_at(source, source.fps)]
    loudness = np.abs(load_sound(path).waveform)
    picks = spread(len(frames), columns * rows).reshape(rows, columns)
    sheet = contact_sheet(*([frames[i] for i in row] for row in picks), columns=columns, side=side, strip=STRIP)
    draw = ImageDraw.Draw(sheet)
    for row, numbers in enumerate(picks):
        _draw_strip(draw, loudness, numbers, source.fps, (row + 1) * (side + STRIP))
    return sheet


def _draw_strip(draw: ImageDraw.ImageDraw, loudness: np.ndarray, numbers: np.ndarray, rate: float, bottom: int) -> None:
    """Draw loudness and marks of the frames `numbers` of one row, whose strip ends at `bottom`, over the whole width."""
    width, top = draw.im.size[0], bottom - STRIP
    first, last = numbers[0] / rate, (numbers[-1] + 1) / rate
    for x in range(width):
        start = int((first + (last - first) * x / width) * SAMPLE_RATE)
        peak = float(loudness[start : start + SAMPLE_RATE // 100].max(initial=0))
        draw.line((x, bottom - 2 - min(1.0, peak / PEAK) * (STRIP - 6), x, bottom - 2), fill="#7a8ca3")
    for column, time in enumerate(numbers / rate):
        x = (time - first) / (last - first) * width
        draw.line((x, top, x, bottom), fill="#c0392b")
        side = width // len(numbers)
        draw.text((column * side + 4, top - side + 2), f"{time:.2f} s", fill="white")


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--side", type=int, default=200)
    args = parser.parse_args()
    draw_sheet(args.video, args.columns, args.rows, args.side).save(args.out, quality=88)


if __name__ == "__main__":
    main()
