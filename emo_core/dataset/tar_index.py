"""Where clips lie in a tar: the members of one follow each other and share its key, as WebDataset has it.

An index of headers is read first, so that any clip can be read alone.
"""

import tarfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """Of one clip."""

    tar: Path
    key: str
    members: dict[str, tuple[int, int]]
    """First byte and number of bytes by suffix."""

    def read(self) -> dict[str, Any]:
        """The undecoded members by suffix, with `__key__` and `__url__`.

        Raises:
            InputError: where they cannot be read.
        """
        found: dict[str, Any] = {"__key__": self.key, "__url__": str(self.tar)}
        try:
            with self.tar.open("rb") as file:
                for suffix, (start, size) in self.members.items():
                    file.seek(start)
                    found[suffix] = file.read(size)
        except OSError as error:
            raise _damaged(self.tar, error) from error
        return found


def places(tar: Path, clips: int | None = None) -> list[Place]:
    """Find the clips of a tar, in order.

    Args:
        tar: a file that `write_clips` wrote.
        clips: how many it should hold, where that is known.

    Raises:
        InputError: where it is damaged, or holds another number of clips: cut off in the right place, a tar looks whole.
    """
    try:
        with tarfile.open(tar, "r:") as file:
            members = [member for member in file if member.isreg()]
    except (tarfile.TarError, OSError) as error:
        raise _damaged(tar, error) from error
    found = [
        Place(tar, key, {m.name.partition(".")[2]: (m.offset_data, m.size) for m in group})
        for key, group in groupby(members, lambda member: member.name.partition(".")[0])
    ]
    if clips is not None and len(found) != clips:
        raise _damaged(tar, f"it holds {len(found)} clips, not {clips}")
    return found


def _damaged(tar: Path, error: Exception | str) -> InputError:
    return InputError(
        f"data: {tar} is damaged ({error}); copy it again from where it came, or prepare the dataset into a new folder"
    )
