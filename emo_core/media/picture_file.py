"""Picture files that Pillow refuses, though every viewer shows them: large metadata, a missing end mark."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
END_OF_JPEG = b"\xff\xd9"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
"""PNG chunks that hold a workflow or a caption."""
ORIENTED = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Texts that may say how the picture lies."""
MAX_ORIENTED = 2**16
"""Bytes of such a text, at most."""
PROFILE = b"iCCP"
"""PNG chunk of a colour profile."""
MAX_PROFILE = 2**20
"""Bytes of a colour profile, at most. Larger ones are ignored, as in ComfyUI: they are tables of a monitor."""


class CutOffError(OSError):
    """Pixels are missing at the end of a file."""


def without_texts(png: bytes) -> tuple[bytes, bytes | None]:
    """Take the texts and the colour profile out of a PNG, but not its orientation. Pillow limits their size, to 1 MiB each.

    Returns:
        the PNG without them, and the profile if there is one.
    """
    kept, profile = [PNG], None
    for kind, chunk in _chunks(png):
        if kind == PROFILE:
            profile = _profile(chunk[8:-4])
        elif kind not in TEXTS or (chunk[8:].startswith(ORIENTED) and len(chunk) <= MAX_ORIENTED):
            kept.append(chunk)
    return b"".join(kept), profile


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk, with its length and checksum; the last one as far as it goes."""
    start = len(PNG)
    while start + 8 <= len(png):
        (length,) = struct.unpack(">I", png[start : start + 4])
        yield png[start + 4 : start + 8], png[start : start + 12 + length]
        start += 12 + length


def _profile(data: bytes) -> bytes | None:
    """The profile of an iCCP chunk: a name, a zero, the method 0, and the compressed profile. None if it is broken or large."""
    _, _, rest = data.partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(rest[1:], MAX_PROFILE + 1)
    except zlib.error:
        return None
    return profile if len(profile) <= MAX_PROFILE else None


def completed_jpeg(content: bytes) -> Image.Image:
    """Decode a JPEG without its end mark.

    Raises:
        CutOffError: if more than the end mark is missing: what follows the data then changes the picture.
    """
    pictures = [_decoded(content + filling + END_OF_JPEG) for filling in (b"", bytes(range(1, 128)))]
    if pictures[0] is None or not np.array_equal(*map(np.asarray, pictures)):
        raise CutOffError("pixels are missing at its end")
    return pictures[0]


def _decoded(content: bytes) -> Image.Image | None:
    picture = Image.open(io.BytesIO(content))
    try:
        picture.load()
    except OSError:
        return None
    return picture
