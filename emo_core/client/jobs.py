"""What to queue: one job from the command line, or one per line of a table."""

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
"""What a file may not be called on one system or another, or would leave its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A workflow with its files and changes."""

    number: int
    """From 1."""
    template: Template
    uploads: tuple[Upload, ...] = ()
    changes: tuple[Change, ...] = ()
    name: str | None = None
    """Of the files it makes; None: as the server names them."""
    allow_unknown: bool = False
    """Let inputs pass that the server's schemas do not name."""

    async def prompt(self, server: Server, object_info: Mapping[str, Any]) -> Prompt:
        """Make all changes, check the result, and upload the files.

        Raises:
            InputError: with everything that is wrong.
        """
        prompt = self.template.prompt(object_info)
        for upload in self.uploads:  # Before anything travels: is there a place for each?
            place(prompt, upload, upload.path.name)
        for change in self.changes:
            apply(prompt, change, object_info)
        names = frozenset(upload.path.name for upload in self.uploads)
        if wrong := problems(prompt, object_info, uploaded=names, allow_unknown=self.allow_unknown):
            raise InputError(f"workflow {self.template.path.name}: {'; '.join(wrong)}")
        for upload in self.uploads:
            place(prompt, upload, await server.upload(upload.path))
        return without_browser_only(prompt, object_info)


def read_jobs(table: Path, base: Job) -> list[Job]:
    """One job per line of a CSV file, each on top of what the command line says.

    Columns: image, audio, video (files, relative to the table; NODE=FILE where several nodes load such files), name, and
    NODE.INPUT for any input; an empty cell changes nothing. Commas, semicolons or tabs between them.

    Raises:
        InputError: for an unknown column, a missing file, a name that is none, a line that does not fit.
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
        raise InputError(f"batch: job {number} in {table} has more cells than columns; put texts with commas in quotes")
    given = {column: value.strip() for column, value in row.items() if value and value.strip()}
    name = given.pop(NAME, None)
    if name is not None and FORBIDDEN.search(name):
        raise InputError(f"batch: job {number} in {table}: {name!r} cannot name a file; use letters, digits, - and _")
    uploads = tuple(Upload.parse(kind, given.pop(kind), table.parent) for kind in LOADERS if kind in given)
    changes = tuple(Change.of(column, value) for column, value in given.items())
    return replace(base, number=number, uploads=(*base.uploads, *uploads), changes=(*base.changes, *changes), name=name)
