"""Any picture file as RGB."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError
from ..files import existing_file


def load_picture(path: Path, *, background: str = "white") -> np.ndarray:
    """Read a picture upright as (H, W, 3) uint8; grey becomes RGB, transparency is laid on the background.

    Raises:
        InputError: if the file is missing or is no picture.
    """
    path = existing_file(path, "portrait", "a PNG, JPEG or WebP picture")
    try:
        with Image.open(path) as picture:
            picture = _upright(picture)
            if picture.mode in ("I", "I;16", "I;16B", "F"):
                picture = _to_8_bit(picture)
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, background), picture)
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"portrait: {path} ({path.stat().st_size} bytes) cannot be read as a picture; give a PNG, JPEG or WebP ({error})"
        ) from error


def _upright(picture: Image.Image) -> Image.Image:
    """Rotate a picture by its EXIF orientation; broken EXIF is ignored."""
    try:
        return ImageOps.exif_transpose(picture)
    except (struct.error, SyntaxError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return picture


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """Scale 16-bit and float greys by their depth."""
    grey = np.asarray(picture, dtype=np.float64)
    depth = 1.0 if picture.mode == "F" and grey.max() <= 1 else 65535.0
    return Image.fromarray(np.clip(grey / depth * 255, 0, 255).astype(np.uint8))
