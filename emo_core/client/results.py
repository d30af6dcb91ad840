"""Results of a prompt: its files, or its error."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ExecutionError


@dataclass(frozen=True, slots=True)
class File:
    """A result file on the server."""

    filename: str
    subfolder: str
    type: str


def outputs_of(entry: dict[str, Any]) -> list[File]:
    """The files of a finished prompt.

    Raises:
        ExecutionError: if a node failed, or the prompt was interrupted.
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
    results = [File(i["filename"], i.get("subfolder", ""), i.get("type", "output")) for i in files if "filename" in i]
    return [file for file in results if file.type == "output"]


def failure(values: dict[str, Any]) -> str:
    """The server's message on a node that failed or was left out."""
    return f"node {values['node_id']} ({values['node_type']}) failed: {values['exception_message'].strip()}"


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
