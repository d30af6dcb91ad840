"""Files that are there are finished: the recipe does not make them again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Another name to write to, which becomes `path` at the end."""
    temporary = path.with_name(f".part.{path.name}")  # NumPy wants its own suffix at the end.
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
