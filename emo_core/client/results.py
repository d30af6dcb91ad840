"""What a prompt left behind: files, or why there are none."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ExecutionError


@dataclass(frozen=True, slots=True)
class File:
    """A file that a prompt made."""

    filename: str
    subfolder: str
    type: str


def outputs_of(entry: dict[str, Any]) -> list[File]:
    """The files of a finished prompt.

    Raises:
        ExecutionError: where it did not finish.
    """
    status = entry.get("status") or {}
    for kind, values in status.get("messages", []):
        if kind == "execution_error":
            raise ExecutionError(failure(values))
        if kind == "execution_interrupted":
            raise ExecutionError("the prompt was interrupted on the server")
    files = [
        item
        for node in entry["outputs"].values()
        for items in node.values()
        for item in items
        if isinstance(item, dict)
    ]
    found = [File(i["filename"], i.get("subfolder", ""), i.get("type", "output")) for i in files if "filename" in i]
    return [file for file in found if file.type == "output"]


def failure(values: dict[str, Any]) -> str:
    """What the server says of a node that failed, or was left out."""
    return f"node {values['node_id']} ({values['node_type']}) failed: {values['exception_message'].strip()}"


def keep(temporary: Path, wanted: Path) -> Path:
    """Give a whole file its name, or the next free one; taking a name is one step, so two downloads never share it."""
    number, target = 2, wanted
    while True:
        try:
            target.open("xb").close()
        except FileExistsError:
            target, number = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}"), number + 1
            continue
        os.replace(temporary, target)
        return target
