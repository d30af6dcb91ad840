"""Jobs to queue: one from the command line, or one per line of a table."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import existing_file
from .check import problems, without_browser_only
from .prompt import LOADERS, Change, Prompt, Template, Upload, apply, place
from .server import Server

NAME = "name"
"""The column that names a job's files."""
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.|[. ]$')
"""File names that are not allowed on some systems, or lead out of the folder."""


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

    async def prompt(self, server: Server, object_info: Mapping[str, Any]) -> Prompt:
        """Make all changes, check the result, and upload the files.

        Raises:
            InputError: if the prompt has errors; the message names all of them.
        """
        prompt = self.template.prompt(object_info)
        for upload in self.uploads:  # Find the loader of each file before anything is sent.
            place(prompt, upload, upload.path.name)
        for change in self.changes:
            apply(prompt, change, object_info)
        names = frozenset(upload.path.name for upload in self.uploads)
        if errors := problems(prompt, object_info, uploaded=names, allow_unknown=self.allow_unknown):
            raise InputError(f"workflow {self.template.path.name}: {'; '.join(errors)}")
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
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"batch: {table} is not UTF-8 ({error}); save it as CSV UTF-8") from error
    lines = text.splitlines(keepends=True)
    separator = max(",;\t", key=lambda sign: lines[0].count(sign)) if lines else ","
    rows = [row for row in csv.DictReader(lines, delimiter=separator) if any(row.values())]
    if not rows:
        raise InputError(f"batch: {table} has no jobs; expected a line of column names, then one line per job")
    for column in rows[0]:
        if column not in (NAME, None) and column not in LOADERS and "." not in column:
            raise InputError(
                f"batch: column {column!r} in {table}; expected {', '.join(LOADERS)}, {NAME} or NODE.INPUT"
            )
    return [_job(number, row, base, table) for number, row in enumerate(rows, 1)]


def _job(number: int, row: Mapping[str | None, Any], base: Job, table: Path) -> Job:
    if None in row:
        raise InputError(f"batch: job {number} in {table} has more cells than columns; put text with commas in quotes")
    cells = {column: value.strip() for column, value in row.items() if value and value.strip()}
    name = cells.pop(NAME, None)
    if name is not None and FORBIDDEN.search(name):
        raise InputError(
            f"batch: job {number} in {table}: {name!r} is not a file name for all systems; use letters, digits, - and _"
        )
    uploads = tuple(Upload.parse(kind, cells.pop(kind), table.parent) for kind in LOADERS if kind in cells)
    changes = tuple(Change.of(column, value) for column, value in cells.items())
    return replace(base, number=number, uploads=(*base.uploads, *uploads), changes=(*base.changes, *changes), name=name)
