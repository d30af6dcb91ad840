"""What can go wrong for a user, as one small tree.

    EmoError
    ├── InputError       a portrait, sound, region or option that cannot be used
    ├── CheckpointError  a weights file that cannot be used
    ├── ServerError      a ComfyUI server that cannot be reached, or is gone
    │   └── ForgottenError  it is there, and knows nothing of what it was given
    ├── ExecutionError   a workflow that failed on its server
    └── Cancelled        the user asked to stop

Every message says what came, what was expected and what to do.
"""

import tempfile
from pathlib import Path


class EmoError(Exception):
    """Root of the errors that this package raises for its users."""

    exit_code = 2
    """Of a command that ends with it."""


class InputError(EmoError, ValueError):
    """A portrait, sound, region or option that cannot be used."""


class CheckpointError(EmoError):
    """A weights file that cannot be used."""


class ServerError(EmoError):
    """A ComfyUI server that cannot be reached, or is gone."""

    exit_code = 3


class ForgottenError(ServerError):
    """A ComfyUI server that knows nothing of what it was given: it was started anew, or its queue cleared."""


class ExecutionError(EmoError):
    """A workflow that failed on its server."""

    exit_code = 4


class Cancelled(EmoError):  # noqa: N818 -- a wish, not an error
    """The user asked to stop; raised by a progress callback, passes through the sampler."""

    exit_code = 130


def existing_file(path: Path, what: str, give: str) -> Path:
    """Return a path that leads to a file.

    Args:
        path: as the user gave it.
        what: its role, for the message.
        give: what the user should give instead.

    Raises:
        InputError: where there is no file, or none that may be looked at.
    """
    path = Path(path)
    try:
        found = path.is_file()
    except OSError as error:
        raise InputError(f"{what}: {path} cannot be opened ({error.strerror}); give {give}") from error
    if not found:
        raise InputError(f"{what}: {'a folder' if path.is_dir() else 'no file'} at {path}; give {give}")
    return path


def writable_folder(path: Path, what: str) -> None:
    """Make a folder that is written to after long work, and try it first.

    Args:
        path: the folder.
        what: its role, for the message.

    Raises:
        InputError: where nothing can be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"{what}: cannot write {path} ({error.strerror}); give a folder you may write to") from error
