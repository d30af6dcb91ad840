"""Screenshots of the browser test -> README's picture and the workflows' thumbnails: `python -m tools.thumbnails DIR`."""

import argparse
from pathlib import Path

from PIL import Image

from tools.workflows import FOLDER, ROOT

THUMBNAIL, PICTURE = 640, 1500
"""Pixels wide."""


def main() -> None:
    """Write JPEGs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for path in sorted(parser.parse_args().folder.glob("*.png")):
        with Image.open(path) as screenshot:
            picture = screenshot.convert("RGB")
        canvas = picture.crop((70, 80, picture.width, picture.height))  # Without the browser's own bars.
        _save(canvas, THUMBNAIL, FOLDER / f"{path.stem}.jpg")
        if path.stem == "talk":
            _save(canvas, PICTURE, ROOT / "docs" / "comfyui.jpg")


def _save(picture: Image.Image, width: int, path: Path) -> None:
    small = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    small.save(path, quality=82, optimize=True)


if __name__ == "__main__":
    main()
