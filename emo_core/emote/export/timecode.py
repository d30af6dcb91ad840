"""Timecodes `HH:MM:SS:FF`, without dropped numbers.

FF counts frames of the whole rate nearest to the frame rate (30 at 29.97), and every number is used, as in "non-drop"
timecode. The day has 24 hours of these numbers; after the last comes 00:00:00:00.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InputError

RATES = (24, 25, 30, 60)
"""Frame rates that editing programs offer."""
LOW, HIGH = 1, 120
"""Least and greatest frame rate of a file."""
START = "00:00:00:00"
SECONDS_OF_A_DAY = 24 * 60 * 60
LIVE_LINK_RATE = 60
"""The Live Link Face app counts FF at 60, whatever the rate of its rows."""
_FORM = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}):(\d{1,3})", re.ASCII)


def checked_rate(fps: float) -> float:
    """Return a frame rate that a file can have.

    Raises:
        InputError: for anything else.
    """
    if not (isinstance(fps, int | float) and LOW <= fps <= HIGH):
        usual = ", ".join(map(str, RATES))
        raise InputError(f"fps: got {fps}; expected {LOW} .. {HIGH}, such as {usual}; give another frame rate")
    return float(fps)


@dataclass(frozen=True, slots=True)
class Timecode:
    """The number of a frame in a day."""

    frame: int
    """Frames since 00:00:00:00; may pass the end of the day."""
    fps: float

    @classmethod
    def parse(cls, text: str, fps: float) -> Timecode:
        """Read `HH:MM:SS:FF`.

        Args:
            text: of the user.
            fps: frame rate, 1 .. 120.

        Raises:
            InputError: if it is none, or FF is no frame at this rate.
        """
        count = counted(checked_rate(fps))
        found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise InputError(
                f"timecode: got {text!r}; expected HH:MM:SS:FF, such as 01:00:00:00 (without dropped numbers)"
            )
        hours, minutes, seconds, frames = map(int, found.groups())
        for value, limit, name in ((hours, 24, "HH"), (minutes, 60, "MM"), (seconds, 60, "SS"), (frames, count, "FF")):
            if value >= limit:
                at = f" at {fps:g} frames per second" if name == "FF" else ""
                raise InputError(f"timecode: got {text!r}; {name} is {value}, expected 0 .. {limit - 1}{at}")
        return cls(((hours * 60 + minutes) * 60 + seconds) * count + frames, fps)

    def after(self, frames: int) -> Timecode:
        """The timecode some frames later."""
        return Timecode(self.frame + frames, self.fps)

    def __str__(self) -> str:
        """`HH:MM:SS:FF`."""
        count = counted(self.fps)
        seconds, frames = divmod(self.frame % (SECONDS_OF_A_DAY * count), count)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frames:02}"

    def live_link(self, frames: int) -> str:
        """`HH:MM:SS:FF.mmm` of the frame that many frames later, as Live Link Face writes it.

        FF.mmm are sixtieths of a second, also where the rows come at another rate: rows at 30 are two apart, at 25 they are
        2.4 apart. Importers divide FF.mmm by 60, so the rows come out at their true times.
        """
        count = counted(self.fps)
        start = self.frame % (SECONDS_OF_A_DAY * count)
        # Thousandths of a sixtieth. The start is a number; the time since then is real, also at 29.97.
        unit = 1000 * LIVE_LINK_RATE
        ticks = round(start * unit / count + frames * unit / self.fps) % (SECONDS_OF_A_DAY * unit)
        seconds, rest = divmod(ticks, unit)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{clock}:{rest // 1000:02}.{rest % 1000:03}"


def counted(fps: float) -> int:
    """Numbers that FF takes in a second."""
    return max(1, round(fps))
