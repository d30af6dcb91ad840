"""Open Sound Control 1.0 messages and bundles, as far as VMC needs them: text, whole numbers and real numbers."""

import struct
from collections.abc import Iterable

PACKET = 1400
"""Bytes of a packet that no usual network splits."""
_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)
"""A bundle's head, with the time "at once"."""


def message(address: str, *values: str | int | float) -> bytes:
    """Encode one message; its values are texts (ASCII), 32-bit whole numbers and 32-bit real numbers."""
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _text(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _text(address) + _text(tags) + data


def bundles(messages: Iterable[bytes]) -> list[bytes]:
    """Join messages, in order, to as few bundles as fit into a packet each."""
    made: list[bytes] = []
    for part in messages:
        element = struct.pack(">i", len(part)) + part
        if not made or len(made[-1]) + len(element) > PACKET:
            made.append(_BUNDLE)
        made[-1] += element
    return made


def _text(value: str) -> bytes:
    """Ends with one to four zeros, at a multiple of four bytes."""
    data = value.encode("ascii")
    return data + bytes(4 - len(data) % 4)
