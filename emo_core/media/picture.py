"""Any picture file as RGB."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import InputError
from ..files import existing_file
from .picture_file import JPEG, PNG, CutOffError, completed_jpeg, without_texts

UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""Errors that Pillow raises for a broken file."""
GREYS = ("1", "L", "LA", "La")
MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Colour space of a profile -> mode of the pictures that it describes."""


def load_picture(path: Path, *, role: str = "portrait", background: str = "white") -> np.ndarray:
    """Read a picture upright as (H, W, 3) uint8 sRGB; grey becomes RGB, transparency is laid on the background.

    Args:
        path: of any format that Pillow reads.
        role: of the picture, for messages.
        background: colour behind transparency.

    Raises:
        InputError: if the file is missing, cut off or no picture.
    """
    path = existing_file(path, role, "a PNG, JPEG or WebP picture")
    content = path.read_bytes()
    try:
        with _opened(content) as picture:
            return np.asarray(_flat(_upright(picture), background))
    except CutOffError as error:
        raise InputError(f"{role}: {path} is cut off ({error}); save or download it again") from error
    except UNREADABLE as error:
        raise InputError(
            f"{role}: {path} ({len(content)} bytes) cannot be read as a picture; give a PNG, JPEG or WebP ({error})"
        ) from error


def _opened(content: bytes) -> Image.Image:
    """A decoded picture.

    Raises:
        CutOffError: if pixels are missing.
    """
    if content.startswith(PNG):
        content, profile = without_texts(content)
    else:
        profile = None
    picture = Image.open(io.BytesIO(content))
    picture.info |= {} if profile is None else {"icc_profile": profile}
    try:
        picture.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise
        if not content.startswith(JPEG):
            raise CutOffError(str(error)) from error
        picture = completed_jpeg(content)
    return picture


def _flat(picture: Image.Image, background: str) -> Image.Image:
    """A picture of any mode as sRGB without transparency."""
    if picture.mode in ("I", "I;16", "I;16B", "F"):
        picture = _to_8_bit(picture)
    flat = _to_srgb(picture)
    if picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
        flat = Image.composite(flat, Image.new("RGB", flat.size, background), alpha)
    return flat


def _to_srgb(picture: Image.Image) -> Image.Image:
    """Colours as the file's profile means them. Without a profile they are sRGB; a broken one is ignored, as viewers do."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = MODES[source.profile.xcolor_space]
        if (picture.mode == "CMYK") != (mode == "CMYK") or (mode == "L" and picture.mode not in GREYS):
            return picture.convert("RGB")  # The profile is of another picture.
        return ImageCms.profileToProfile(
            picture.convert(mode), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
        return picture.convert("RGB")


def _upright(picture: Image.Image) -> Image.Image:
    """Rotate a picture by its EXIF orientation; broken EXIF is ignored."""
    try:
        return ImageOps.exif_transpose(picture)
    except (struct.error, SyntaxError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return picture


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """Scale 16-bit and float greys by their depth."""
    grey = np.asarray(picture, dtype=np.float64)
    peak = float(np.nan_to_num(grey).max(initial=0.0))
    depths = (1.0, 255.0) if picture.mode == "F" else (255.0,) if picture.mode == "I" else ()
    depth = next((depth for depth in depths if peak <= depth), 65535.0)
    scaled = Image.fromarray(np.clip(np.nan_to_num(grey) / depth * 255, 0, 255).astype(np.uint8))
    scaled.info = picture.info
    return scaled
