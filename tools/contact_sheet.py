"""Frames of a video over the loudness of its sound: `python -m tools.contact_sheet VIDEO OUT.jpg`.

Two rows of frames, evenly spread; under each row the sound's loudness at that time, with a mark at each frame.
"""

import argparse
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from emo_core.media.sound import SAMPLE_RATE, load_sound

STRIP = 40
"""Pixels of the loudness strip under a row."""


def frames_of(path: Path) -> tuple[list[Image.Image], float]:
    """All frames, and the frame rate."""
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        return [frame.to_image() for frame in container.decode(video=0)], rate


def sheet(path: Path, columns: int, rows: int, side: int) -> Image.Image:
    """Draw the sheet."""
    frames, rate = frames_of(path)
    loudness = np.abs(load_sound(path).waveform)
    picks = np.linspace(0, len(frames) - 1, columns * rows).round().astype(int)
    canvas = Image.new("RGB", (columns * side, rows * (side + STRIP)), "white")
    draw = ImageDraw.Draw(canvas)
    for row in range(rows):
        chosen = picks[row * columns : (row + 1) * columns]
        top = row * (side + STRIP)
        first, last = chosen[0] / rate, (chosen[-1] + 1) / rate
        for x in range(columns * side):
            second = first + (last - first) * x / (columns * side)
            part = loudness[int(second * SAMPLE_RATE) :][: SAMPLE_RATE // 100]
            height = min(1.0, float(part.max(initial=0)) / 4) * (STRIP - 6)
            draw.line((x, top + side + STRIP - 2 - height, x, top + side + STRIP - 2), fill="#7a8ca3")
        for column, index in enumerate(chosen):
            canvas.paste(frames[index].resize((side, side)), (column * side, top))
            x = (index / rate - first) / (last - first) * columns * side
            draw.line((x, top + side, x, top + side + STRIP), fill="#c0392b")
            draw.text((column * side + 4, top + 2), f"{index / rate:.2f} s", fill="white")
    return canvas


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--side", type=int, default=200)
    args = parser.parse_args()
    sheet(args.video, args.columns, args.rows, args.side).save(args.out, quality=88)


if __name__ == "__main__":
    main()
