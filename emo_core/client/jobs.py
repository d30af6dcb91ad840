"""Jobs to queue: one from the command line, or one per line of a table."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import existing_file
from .check import misfits, problems, without_browser_only
from .prompt import LOADERS, Change, Prompt, Template, Upload, apply, place
from .server import Server

NAME = "name"
"""The column that names a job's files."""
FORBIDDEN = re.compile(
    r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]|^\.|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE
)
"""File names that are not allowed on some systems, or lead out of the folder."""


class MisfitError(InputError):
    """A workflow for a server with other nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A workflow with its files and changes."""

    number: int
    """From 1."""
    template: Template
    uploads: tuple[Upload, ...] = ()
    changes: tuple[Change, ...] = ()
    name: str | None = None
    """Of the result files; None for the names that the server gives."""
    allow_unknown: bool = False
    """Allow inputs that the server's schemas do not have."""

    def check(self, object_info: Mapping[str, Any]) -> Prompt:
        """Make all changes, and check the result for a server. Nothing is sent.

        Returns:
            the prompt, with local names of the uploads.

        Raises:
            MisfitError: if the server does not have the workflow's nodes and inputs.
            InputError: if the prompt has other errors; the message names all of them.
        """
        try:
            prompt = self.template.prompt(object_info)
        except InputError as error:
            raise MisfitError(str(error)) from error
        for upload in self.uploads:  # Find the loader of each file before anything is sent.
            place(prompt, upload, upload.path.name)
        for change in self.changes:
            apply(prompt, change, object_info)
        names = frozenset(upload.path.name for upload in self.uploads)
        if errors := problems(prompt, object_info, uploaded=names, allow_unknown=self.allow_unknown):
            kind = MisfitError if misfits(prompt, object_info, allow_unknown=self.allow_unknown) else InputError
            raise kind(f"workflow {self.template.path.name}: {'; '.join(errors)}")
        return prompt

    async def send_files(self, prompt: Prompt, server: Server, object_info: Mapping[str, Any]) -> Prompt:
        """Upload the files, and name them in a checked prompt."""
        for upload in self.uploads:
            place(prompt, upload, await server.upload(upload.path))
        return without_browser_only(prompt, object_info)


def read_jobs(table: Path, base: Job) -> list[Job]:
    """Read one job per line of a CSV file. Each job adds to the options of the command line.

    Columns: image, audio, video (files, relative to the table; NODE=FILE if several nodes load such files), name, and NODE.INPUT
    for any input. An empty cell changes nothing. The separator is a comma, a semicolon or a tab.

    Raises:
        InputError: if a column is unknown, a file is missing, a name is not allowed or a line has too many cells.
    """
    table = existing_file(table, "batch", "a CSV file with a line of column names")
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            text = stream.read()
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    except UnicodeDecodeError as error:
        raise InputError(f"batch: {table} is not UTF-8 ({error}); save it as CSV UTF-8") from error
    except OSError as error:
        raise InputError(f"batch: {table} cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise InputError(f"batch: {table} is not CSV ({error}); save it as CSV UTF-8") from error
    columns, *rows = [[cell.strip() for cell in line] for line in lines if any(map(str.strip, line))] or [[]]
    if not rows:
        raise InputError(f"batch: {table} has no jobs; expected a line of column names, then one line per job")
    for column in columns:
        if column and not _is_column(column):
            raise InputError(
                f"batch: column {column!r} in {table}; expected {', '.join(LOADERS)}, {NAME} or NODE.INPUT"
            )
        if column and columns.count(column) > 1:
            raise InputError(f"batch: {table} has {columns.count(column)} columns {column!r}; give one")
    return [_job(number, columns, row, base, table) for number, row in enumerate(rows, 1)]


def _separator(text: str) -> str:
    """The sign between cells: the one that makes known columns of the first line; else the most frequent one."""
    first = next((line for line in re.split(r"\r\n|\r|\n", text) if line.strip()), "")
    signs = sorted(",;\t", key=lambda sign: -first.count(sign))
    for sign in signs:
        columns = next(csv.reader([first], delimiter=sign), [])
        if any(map(str.strip, columns)) and all(not column.strip() or _is_column(column.strip()) for column in columns):
            return sign
    return signs[0]


def _is_column(name: str) -> bool:
    return name in (NAME, *LOADERS) or ("." in name and not re.search(r"[;\t]", name))


def _job(number: int, columns: list[str], row: list[str], base: Job, table: Path) -> Job:
    where = f"batch: job {number} in {table}"
    if any(row[len(columns) :]):
        raise InputError(f"{where} has more cells than columns; put text with commas in quotes")
    cells = {column: cell for column, cell in zip(columns, row, strict=False) if cell}
    if "" in cells:
        raise InputError(f"{where}: {cells['']!r} is in a column without a name; name it, or empty it")
    name = " ".join(cells.pop(NAME, "").split()) or None
    if name is not None and FORBIDDEN.search(name):
        raise InputError(f"{where}: {name!r} is not a file name for all systems; use letters, digits, - and _")
    uploads = tuple(Upload.parse(kind, cells.pop(kind), table.parent) for kind in LOADERS if kind in cells)
    changes = tuple(Change.of(column, value) for column, value in cells.items())
    return replace(base, number=number, uploads=(*base.uploads, *uploads), changes=(*base.changes, *changes), name=name)
