"""A progress bar on stderr that counts frames."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[[int, int], None]
"""Gets the frame's number from 1 and the number of frames; it may raise `errors.Cancelled`."""


@contextmanager
def frame_bar(name: str) -> Iterator[Progress]:
    """A bar that lasts as long as the block; the block calls what it is given."""
    with tqdm(desc=name, unit="frame", delay=0.01, disable=None) as bar:

        def progress(frame: int, frames: int) -> None:
            bar.total = frames
            bar.update(frame - bar.n)

        yield progress
