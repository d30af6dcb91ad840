"""The index of a tar of clips. As in WebDataset, the members of a clip follow each other and share its key.

The headers are read first, so that any clip can be read alone.
"""

import tarfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """Place of one clip."""

    tar: Path
    key: str
    members: dict[str, tuple[int, int]]
    """First byte and number of bytes by suffix."""

    def read(self) -> dict[str, Any]:
        """The undecoded members by suffix, with `__key__` and `__url__`.

        Raises:
            InputError: if they cannot be read.
        """
        content: dict[str, Any] = {"__key__": self.key, "__url__": str(self.tar)}
        try:
            with self.tar.open("rb") as file:
                for suffix, (start, size) in self.members.items():
                    file.seek(start)
                    content[suffix] = file.read(size)
        except OSError as error:
            raise _damaged(self.tar, error) from error
        return content


def places(tar: Path, clips: int | None = None) -> list[Place]:
    """Find the clips of a tar, in order.

    Args:
        tar: a file that `write_clips` wrote.
        clips: expected number of clips, if known; a tar that is cut off between two clips looks whole.

    Raises:
        InputError: if it is damaged, or holds another number of clips.
    """
    try:
        with tarfile.open(tar, "r:") as file:
            members = [member for member in file if member.isreg()]
    except (tarfile.TarError, OSError) as error:
        raise _damaged(tar, error) from error
    index = [
        Place(tar, key, {m.name.partition(".")[2]: (m.offset_data, m.size) for m in group})
        for key, group in groupby(members, lambda member: member.name.partition(".")[0])
    ]
    if clips is not None and len(index) != clips:
        raise _damaged(tar, f"it holds {len(index)} clips, not {clips}")
    return index


def _damaged(tar: Path, error: Exception | str) -> InputError:
    return InputError(f"data: {tar} is damaged ({error}); copy it again, or prepare the dataset into a new folder")
