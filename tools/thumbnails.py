"""Convert screenshots of the browser test to thumbnails of the workflows and README's picture: `python -m tools.thumbnails DIR`."""

import argparse
from pathlib import Path

from PIL import Image

from tools.workflows import FOLDER, ROOT

THUMBNAIL_WIDTH, PICTURE_WIDTH = 640, 1500
"""Pixels."""


def main() -> None:
    """Write the JPEGs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the browser test's EMO_SCREENSHOTS")
    for path in sorted(parser.parse_args().folder.glob("*.png")):
        with Image.open(path) as screenshot:
            picture = screenshot.convert("RGB")
        canvas = picture.crop((70, 80, picture.width, picture.height))  # Without the toolbars of the frontend.
        _save(canvas, THUMBNAIL_WIDTH, FOLDER / f"{path.stem}.jpg")
        if path.stem == "talk":
            _save(canvas, PICTURE_WIDTH, ROOT / "docs" / "comfyui.jpg")


def _save(picture: Image.Image, width: int, path: Path) -> None:
    small = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    small.save(path, quality=82, optimize=True)


if __name__ == "__main__":
    main()
