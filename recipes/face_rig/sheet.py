"""A contact sheet of all movements on portraits: `python -m recipes.face_rig.sheet PORTRAIT [PORTRAIT ...] --out sheet.jpg`."""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from emo_core.face.coefficients import NAMES
from emo_core.face.detectors import make_detector
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import load_rig
from emo_core.media.picture import load_picture
from emo_core.portrait.mouth import load_network
from emo_core.portrait.prepare import PreparedPortrait, prepare_portrait
from emo_core.portrait.render import PortraitRenderer

AMOUNTS = {"jawOpen": {"jawOpen": 0.7}, "mouthClose": {"mouthClose": 0.6, "jawOpen": 0.6}}
"""Movements that are not shown at 1 alone."""
COLUMNS = 5
MARGIN = 0.56
"""Half of a cell over the height of the face."""


def cell_of(portrait: PreparedPortrait, frame: np.ndarray, side: int) -> np.ndarray:
    """The face of a frame as (side, side, 3)."""
    x, y = portrait.landmarks[:, :2].mean(0)
    reach = np.ptp(portrait.landmarks[:, 1]) * MARGIN
    box = (x - reach, y - reach, x + reach, y + reach)
    return np.asarray(
        Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS, box=_inside(box, portrait.size))
    )


def _inside(box: tuple[float, ...], size: int) -> tuple[float, ...]:
    return tuple(float(np.clip(edge, 0, size)) for edge in box)


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=96)
    args = parser.parse_args()
    rig, detector, network = load_rig(), make_detector(landmarks=True, quiet=True), load_network(torch.device("cpu"))
    portraits = [prepare_portrait(load_picture(path), detector, rig) for path in args.portraits]
    renderers = [PortraitRenderer(portrait, rig, network) for portrait in portraits]
    tiles = []
    for name in NAMES:
        amounts = {key: np.array([value]) for key, value in AMOUNTS.get(name, {name: 1.0}).items()}
        motion = FaceMotion.still(1, 25).with_curves(amounts)
        pairs = zip(portraits, renderers, strict=True)
        cells = [cell_of(portrait, next(renderer.frames(motion)), args.side) for portrait, renderer in pairs]
        tile = Image.new("RGB", (args.side * len(cells), args.side + 12), "white")
        tile.paste(Image.fromarray(np.concatenate(cells, axis=1)), (0, 0))
        ImageDraw.Draw(tile).text((3, args.side), name, fill="black")
        tiles.append(np.asarray(tile))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.concatenate(rows)).save(args.out, quality=70)


if __name__ == "__main__":
    main()
