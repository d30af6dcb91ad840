"""Takes: stretches of film in which the person is seen without a break.

Shape legend: F frames of a take, S samples.
"""

from dataclasses import dataclass

from ..media.sound import SAMPLE_RATE, Sound

FPS = 25
"""Frames per second of everything that an avatar learns and shows."""
SAMPLES = SAMPLE_RATE // FPS
"""Samples of sound beside a frame."""


@dataclass(frozen=True, slots=True)
class Take:
    """One continuous stretch; a track holds its takes one after another."""

    name: str
    """Of the film it comes from."""
    first: int
    """Number of its first frame in the track."""
    frames: int
    """F."""
    sound: Sound | None
    """F / 25 seconds, aligned with the frames, at the level of its whole film; None if the film has no sound."""
    offset: float = 0.0
    """Seconds that the film's sound was late, which are corrected in `sound`; negative if it was early."""
    start: float = 0.0
    """Second of the film in which it begins."""

    @property
    def stop(self) -> int:
        """Number of the frame after its last, in the track."""
        return self.first + self.frames

    @property
    def rows(self) -> slice:
        """Its frames in the track."""
        return slice(self.first, self.stop)

    @property
    def seconds(self) -> float:
        """Length."""
        return self.frames / FPS
