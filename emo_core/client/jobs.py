"""What to queue: one job from the command line, or one per line of a table."""

import csv
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, existing_file
from .prompt import LOADERS, Change, Prompt, Template, Upload, apply, as_value, place, problems
from .server import Server

NAME = "name"
"""The column that names a job's files."""


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

    async def prompt(self, server: Server, object_info: Mapping[str, Any]) -> Prompt:
        """Upload the files, make all changes, and check the result.

        Raises:
            InputError: with everything that is wrong.
        """
        prompt = self.template.prompt(object_info)
        for upload in self.uploads:  # Before anything travels: is there a place for each?
            place(prompt, upload, "")
        names = [await server.upload(upload.path) for upload in self.uploads]
        for upload, name in zip(self.uploads, names, strict=True):
            place(prompt, upload, name)
        for change in self.changes:
            apply(prompt, change)
        if wrong := problems(prompt, object_info, frozenset(names)):
            raise InputError(f"workflow {self.template.path.name}: {'; '.join(wrong)}")
        return prompt


def read_jobs(table: Path, base: Job) -> list[Job]:
    """One job per line of a CSV file, each on top of what the command line says.

    Columns: image, audio, video (files, relative to the table; NODE=FILE where several nodes load such files), name, and
    NODE.INPUT for any input; an empty cell changes nothing.

    Raises:
        InputError: for an unknown column or a missing file.
    """
    table = existing_file(table, "batch", "a CSV file with a line of column names")
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.DictReader(stream) if any(row.values())]
    if not rows:
        raise InputError(f"batch: {table} has no jobs; expected a line of column names, then one line per job")
    for column in rows[0]:
        if column != NAME and column not in LOADERS and "." not in (column or ""):
            raise InputError(
                f"batch: column {column!r} in {table}; expected {', '.join(LOADERS)}, {NAME} or NODE.INPUT"
            )
    return [_job(number, row, base, table.parent) for number, row in zip(itertools.count(1), rows, strict=False)]


def _job(number: int, row: Mapping[str, str], base: Job, folder: Path) -> Job:
    given = {column: value.strip() for column, value in row.items() if value and value.strip()}
    uploads = tuple(Upload.parse(kind, given[kind], folder) for kind in LOADERS if kind in given)
    changes = tuple(
        Change(column.rpartition(".")[0], column.rpartition(".")[2], as_value(value))
        for column, value in given.items()
        if column != NAME and column not in LOADERS
    )
    return Job(
        number=number,
        template=base.template,
        uploads=(*base.uploads, *uploads),
        changes=(*base.changes, *changes),
        name=given.get(NAME),
    )
