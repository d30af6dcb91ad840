"""Results of a prompt: its files, or its error; and their names on this computer."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ExecutionError
from .check import title

UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""Signs that a file name must not have on some systems."""
ENDING_BYTES = 20
"""Longest ending of a file name."""
NAME_BYTES = 200
"""Longest name without its ending. File systems allow 255 bytes; a number and an ending must fit too."""


@dataclass(frozen=True, slots=True)
class File:
    """A result file on the server."""

    filename: str
    subfolder: str
    type: str


def outputs_of(entry: Mapping[str, Any]) -> list[File]:
    """The files of a finished prompt.

    Raises:
        ExecutionError: if a node failed, or the prompt was interrupted.
    """
    status = entry.get("status")
    messages = status.get("messages") if isinstance(status, dict) else None
    for message in messages if isinstance(messages, list) else []:
        kind, values = message if isinstance(message, list) and len(message) == 2 else ("", {})
        if kind == "execution_error":
            raise ExecutionError(failure(values))
        if kind == "execution_interrupted":
            raise ExecutionError("the prompt was interrupted on the server")
    return list(dict.fromkeys(file for file in _files(entry) if file.type == "output"))


def _files(entry: Mapping[str, Any]) -> Iterator[File]:
    outputs = entry.get("outputs")
    for node in outputs.values() if isinstance(outputs, dict) else []:
        for items in node.values() if isinstance(node, dict) else []:
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and item.get("filename"):
                    name, folder = str(item["filename"]), str(item.get("subfolder") or "")
                    yield File(name, folder, str(item.get("type", "output")))


def left_out(entry: Mapping[str, Any], prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> list[str]:
    """The output nodes of a finished prompt that have no result."""
    outputs = entry.get("outputs") or {}
    return [
        f"node {key} ({title(node)})"
        for key, node in prompt.items()
        if object_info.get(node["class_type"], {}).get("output_node") and key not in outputs
    ]


def failure(values: Any) -> str:
    """The server's message on a node that failed or was left out."""
    known = values if isinstance(values, dict) else {}
    node = f"node {known.get('node_id', '?')} ({known.get('node_type', '?')})"
    return f"{node} failed: {str(known.get('exception_message', values)).strip()}"


def fit(name: str) -> str:
    """A name of at most `NAME_BYTES` bytes. A long one is cut between two characters, and ends with a hash of the whole."""
    if len(name.encode(errors="replace")) <= NAME_BYTES:
        return name
    ending = "-" + hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
    length, size = 0, len(ending)
    while size + len(name[length].encode(errors="replace")) <= NAME_BYTES:
        size += len(name[length].encode(errors="replace"))
        length += 1
    while length > 1 and _continues(name[length - 1], name[length]):
        length -= 1
    return name[:length] + ending


def local_name(filename: str, name: str | None) -> str:
    """The name of a result file on this computer: the job's name or the server's, and the server's ending."""
    ending = UNSAFE.sub("_", Path(filename).suffix)
    stem = name or UNSAFE.sub("_", Path(filename).stem)
    return fit(stem) + (ending if len(ending.encode(errors="replace")) <= ENDING_BYTES else "")


def _continues(before: str, sign: str) -> bool:
    """Whether a sign belongs to the one before it: an accent, a skin colour, a joined emoji."""
    return (
        unicodedata.combining(sign) > 0
        or before == "\u200d"
        or sign in "\u200d\ufe0f"
        or "\U0001f3fb" <= sign <= "\U0001f3ff"
    )


def keep(temporary: Path, path: Path) -> Path:
    """Move a complete file to `path`, or to the next free name. A name is taken in one step, so two downloads never share it."""
    number, target = 2, path
    while True:
        try:
            target.open("xb").close()
        except FileExistsError:
            target, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
            continue
        os.replace(temporary, target)
        return target
