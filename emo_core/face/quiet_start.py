"""MediaPipe without its start-up notes, for commands that promise one line on stderr."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

import numpy as np

from .detect import Face, FaceDetector

BLANK = np.zeros((64, 64, 3), np.uint8)


class QuietStart:
    """A detector whose native library is silent while it opens, and until it has found its first face.

    Later messages are shown, so that a crash is not silent.
    """

    def __init__(self, make: Callable[[], FaceDetector]) -> None:
        """Open the detector."""
        with quiet_native_logs():
            self._detector = make()
            self._detector.detect(BLANK)  # Its threads may still be opening.
        self._started = False

    def detect(self, image: np.ndarray) -> list[Face]:
        """See `FaceDetector`."""
        if self._started:
            return self._detector.detect(image)
        with quiet_native_logs():
            faces = self._detector.detect(image)
        self._started = bool(faces)
        return faces


@contextlib.contextmanager
def quiet_native_logs() -> Iterator[None]:
    """Keep native libraries off stderr. They write straight to file descriptor 2; Python's own stderr waits so long."""
    sys.stderr.flush()
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
