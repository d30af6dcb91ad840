"""Files that users name, and files that are written whole or not at all."""

import hashlib
import json
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

_LOG = logging.getLogger(__name__)
BLOCK = 2**22
"""Bytes that are hashed at a time."""


def existing_file(path: Path, role: str, expected: str) -> Path:
    """Return a path that leads to a file.

    Args:
        path: as the user gave it.
        role: of the file, for the message.
        expected: what the user should give instead.

    Raises:
        InputError: if there is no file, or none that may be read.
    """
    path = Path(path)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise InputError(f"{role}: {path} cannot be opened ({error.strerror}); give {expected}") from error
    if not is_file:
        raise InputError(f"{role}: {'a folder' if path.is_dir() else 'no file'} at {path}; give {expected}")
    return path


def writable_file(path: Path, role: str) -> None:
    """Test that a file can be written, before any work is done for it. Its folder is made.

    Args:
        path: the file.
        role: of the file, for the message.

    Raises:
        InputError: if it cannot be written.
    """
    probe = temporary_name(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{role}: cannot write {path} ({error}); give a file in a folder you may write to") from error


def writable_folder(path: Path, role: str) -> None:
    """Make a folder that is written to after long work, and try it first.

    Args:
        path: the folder.
        role: of the folder, for the message.

    Raises:
        InputError: if nothing can be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"{role}: cannot write {path} ({error.strerror}); give a folder you may write to") from error


def temporary_name(path: Path) -> Path:
    """A hidden name beside `path`, of the same suffix and different at every call."""
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")


@contextmanager
def locked(path: Path | None, role: str) -> Iterator[None]:
    """Keep other commands on this computer from writing to the same place while the block runs.

    Args:
        path: the file or folder that is written to; None for none.
        role: of it, for the message.

    Raises:
        InputError: if another command writes to it.
    """
    if path is None:
        yield
        return
    from filelock import FileLock, Timeout  # Of commands only.

    # The system frees a lock when its process ends, however it ends. The lock's own file lies apart from the user's files.
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    folder = Path(tempfile.gettempdir()) / f"emo-locks-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    lock = FileLock(folder / name, timeout=0)
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{role}: another command is writing to {path}; wait until it is done, or give another name"
        ) from None
    except OSError as error:
        _LOG.warning("%s: no lock can be made in %s (%s); start no second command with this name", role, folder, error)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to. It replaces `path` when the block ends, and is removed when the block fails."""
    temporary = temporary_name(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # safetensors writes files that only their owner may read.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write a text, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def file_digest(path: Path) -> str:
    """SHA-256 of a file of any size, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
