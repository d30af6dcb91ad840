"""What films are good for: numbers, and advice for better ones.

Shape legend: N frames of the track, S side of its squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..emote.prosody import Prosody
from ..face.coefficients import BLINK
from ..face.mouth import mouth_opening
from .hearing import Heard
from .light import in_other_light
from .squares import SquarePath
from .stretches import Stretch
from .sync import Offset
from .takes import FPS
from .track import Track
from .watching import WatchedFilm

LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601 weights of red, green and blue."""
TURNED = 30.0
"""Degrees to the side from which a head counts as turned."""
BLINK_RISE = 0.4
"""Of both lids, over the calm eye, that is a blink."""
CLOSED = 0.008
"""Opening of closed lips over the most closed ones of the person, in heights of the face, at most."""
SAMPLED = FPS
"""Frames between two pictures whose detail is measured."""
NAMED = 6
"""Things left out that are named one by one."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A film, or a stretch of one, that is not used."""

    name: str
    start: float
    """Seconds."""
    seconds: float
    """0 for a whole film that was not read."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    films: int
    seconds: float
    """That were read."""
    usable: float
    """Seconds to learn from."""
    takes: int
    face_height: float
    """Pixels of the films, median."""
    square: float
    """Side of the squares in pixels of the films, median."""
    size: int
    """S."""
    outside: float
    """Share of the squares that lies outside the picture, where its border is repeated."""
    moving: float
    """Share of the frames in which the square has to follow the head."""
    brightness: float
    """Of the face, 0 .. 1."""
    clipped: float
    """Share of the face's pixels that are black or white."""
    detail: float
    """Strength of details of one or two pixels over all contrast of the face, 0 .. 1."""
    cuts: int
    turned: float
    """Share of the frames in which the head is turned by more than `TURNED`."""
    missing: float
    """Share of the takes' frames from which nothing is learnt."""
    blinks: float
    """A minute."""
    pauses: float
    """Seconds of silence with closed lips."""
    lights: float
    """Share of the frames in another light that are used all the same."""
    offsets: tuple[tuple[str, Offset], ...]
    """Film, or films that are measured together, and how late the sound was."""
    silent: tuple[tuple[str, str], ...]
    """Film without sound, and why."""
    left_out: tuple[LeftOut, ...]

    def lines(self) -> list[str]:
        """All of it as text, the advice last."""
        return [*self.facts(), *self.advice()]

    def facts(self) -> list[str]:
        """What was found, one thing a line."""
        lines = [
            f"{_count(self.films, 'film')}: {_minutes(self.seconds)} minutes, of which {_minutes(self.usable)} can be learnt from, "
            f"in {_count(self.takes, 'take')}; {_count(self.cuts, 'cut')}",
            f"Face: {self.face_height:.0f} pixels high; squares of {self.size} pixels show {self.square:.0f} pixels of the film",
            f"Light: mean brightness of the face {self.brightness:.0%}, {self.clipped:.1%} of it is black or white",
            f"Sharpness: {self.detail:.1%} of the face's contrast is fine detail",
            f"Head: turned by more than {TURNED:g} degrees in {self.turned:.0%} of the frames",
            f"Blinks: {self.blinks:.0f} a minute",
            f"Pauses with closed lips: {self.pauses:.1f} seconds",
        ]
        lines += _sync_lines(self.offsets)
        lines += [f"Without sound: {name} ({reason})" for name, reason in self.silent[:NAMED]]
        return lines + _left_out_lines(self.left_out)

    def advice(self) -> list[str]:
        """What to do better; nothing for good films."""
        side = max(64, int(self.square) // 32 * 32)
        checks = (
            (self.usable < ENOUGH, f"{_minutes(self.usable)} minutes are short; 3 minutes or more give a better mouth and livelier motion"),
            (self.square < SMALL * self.size, f"the face is small in the film; choose squares of {side} pixels, or film from nearer"),
            (self.outside > 0.05, "the picture ends close to the head; leave room around head and shoulders"),
            (self.brightness < DARK, "the face is dark; put more light on it"),
            (self.clipped > 0.1, "parts of the face are too bright or too dark; use soft light from the front"),
            (self.detail < SOFT * (256 / self.size) ** 0.5, "the film is soft; focus on the eyes, and save it at a higher bitrate"),
            (self.turned > 0.3, "the head is often turned; look towards the camera"),
            (self.moving > 0.5, "the head often leaves its place; sit, and put the camera on a stand"),
            (self.missing > 0.1, "the face is often hidden or lost; keep hands and hair off it"),
            (self.usable > LONG and self.blinks < 3, "hardly any blinks are seen; blink as usual"),
            (self.usable > LONG and self.pauses < 2, "there are hardly any pauses; be silent for some seconds with closed lips"),
            (self.lights > 0, f"{self.lights:.0%} of the film has another light or white balance; use films of one light"),
            (self.deaf, "the lips do not follow the sound; check that it is the voice of the person"),
        )  # fmt: skip
        return [f"Advice: {sentence}" for wrong, sentence in checks if wrong]

    @property
    def deaf(self) -> bool:
        """Whether in most of the time that is heard lips do not follow the sound."""
        heard = sum(offset.heard for _, offset in self.offsets)
        unlike = sum(offset.heard for _, offset in self.offsets if offset.correlation < UNLIKE)
        return heard > LONG and unlike > heard / 2


ENOUGH = 120.0
"""Seconds below which more film is advised."""
LONG = 20.0
"""Seconds from which blinks, pauses and sync are judged."""
SMALL = 0.8
"""Pixels of the film over those of the square, at least."""
DARK = 0.22
"""Brightness of a face, at least."""
SOFT = 0.05
"""Share of fine detail in squares of 256 pixels, at least: a Gaussian of 1.5 pixels over a sharp film leaves that much."""
UNLIKE = 0.12
"""Correlation of lips and sound, at least. That of another film's sound is below .23 in 99 % of half minutes, and .09 in most."""


def describe(
    track: Track,
    films: Sequence[WatchedFilm],
    stretches: Sequence[Stretch],
    squares: Sequence[SquarePath],
    heard: Heard,
    left_out: tuple[LeftOut, ...],
    cuts: int,
) -> Report:
    """Measure a track. `stretches` and `squares` are those of its takes; `cuts` is their number in all films."""
    frames = np.array([one.frames for one in stretches])
    yaw = np.concatenate([one.yaw for one in stretches])
    outside = [_outside(path, films[one.film].size) for one, path in zip(stretches, squares, strict=True)]
    tinted = in_other_light(np.stack([one.colour for one in stretches]), frames)
    brightness = np.array([one.colour @ LUMA / 255 for one in stretches])
    return Report(
        films=len(films),
        seconds=sum(film.stop - film.first for film in films) / FPS,
        usable=track.usable_seconds,
        takes=len(track.takes),
        face_height=float(np.median(np.concatenate([np.ptp(one.landmarks[..., 1], axis=1) for one in stretches]))),
        square=float(np.median(np.concatenate([path.side for path in squares]))),
        size=track.size,
        outside=float(np.average(outside, weights=frames)),
        moving=float(np.average([not path.stands_still for path in squares], weights=frames)),
        brightness=float(np.average(brightness, weights=frames)),
        clipped=float(np.average([one.clipped for one in stretches], weights=frames)),
        detail=_detail(track),
        cuts=cuts,
        turned=float(np.mean(np.abs(yaw) > TURNED)),
        missing=float(1 - track.shown.mean()),
        blinks=_blinks(track) / (len(track) / FPS / 60),
        pauses=_pauses(track) / FPS,
        lights=float(np.average(tinted, weights=frames)),
        offsets=heard.offsets,
        silent=heard.silent,
        left_out=left_out,
    )


def _outside(path: SquarePath, picture: tuple[int, int]) -> float:
    """Mean share of a square outside the picture."""
    low, high = np.maximum(path.corner, 0), np.minimum(path.corner + path.side[:, None], np.array(picture))
    return float(1 - (np.maximum(high - low, 0) / path.side[:, None]).prod(1).mean())


def _detail(track: Track) -> float:
    """Median over some frames of the deviation from a blurred copy (Gaussian of one pixel) over that of the face itself."""
    import cv2  # Comes with mediapipe.

    shares = []
    for number in np.flatnonzero(track.shown)[::SAMPLED]:
        low, high = (edge(track.landmarks[number, :, :2], axis=0) for edge in (np.min, np.max))
        (left, top), (right, bottom) = (
            np.clip(low, 0, track.size - 8).astype(int),
            np.clip(high, 8, track.size).astype(int),
        )
        grey = track.pictures[int(number)][top:bottom, left:right].astype(np.float32).mean(-1)
        shares.append((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).std() / max(float(grey.std()), 1.0))
    return float(np.median(shares))


def _blinks(track: Track) -> int:
    """Number of blinks."""
    both = np.minimum(*(track.motion.curve(name) for name in BLINK))
    reach = FPS * 2 // 5
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(both, reach, mode="edge"), 2 * reach + 1)
    above = both - np.median(windows, axis=1) > BLINK_RISE
    return int((np.diff(above.astype(np.int8), prepend=0) == 1).sum())


def _pauses(track: Track) -> int:
    """Frames of silence with closed lips."""
    heard = [take for take in track.takes if take.sound is not None]
    rows = np.concatenate([np.arange(take.first, take.stop) for take in heard])
    prosody = Prosody(np.concatenate([take.sound.waveform for take in heard]), len(rows), FPS)
    opening = mouth_opening(track.landmarks)
    closed = opening < np.quantile(opening[track.shown], 0.05) + CLOSED
    return int((prosody.pause & closed[rows] & track.shown[rows]).sum())


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"


def _sync_lines(offsets: Sequence[tuple[str, Offset]]) -> list[str]:
    late = [(name, one) for name, one in offsets if one.seconds]
    lines = [
        f"Sound of {name}: {abs(one.seconds) * 1000:.0f} ms {'late' if one.seconds > 0 else 'early'}, corrected; the lips follow it "
        f"with a correlation of {one.correlation:.2f}, before {one.unshifted:.2f}"
        for name, one in late[:NAMED]
    ]
    if len(late) > NAMED:
        lines.append(f"Sound of {len(late) - NAMED} more films: corrected")
    heard = sum(one.heard for _, one in offsets if not one.seconds)
    if heard:
        follows = sum(one.heard * one.correlation for _, one in offsets if not one.seconds) / heard
        lines.append(
            f"Sound{' of the others' * bool(late)}: in time; the lips follow it with a correlation of {follows:.2f}"
        )
    return lines


def _left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    lines = []
    for reason in dict.fromkeys(one.reason for one in left_out):
        some = [one for one in left_out if one.reason == reason]
        names = [f"{one.name} at {_minutes(one.start)}" if one.seconds else one.name for one in some[:NAMED]]
        more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
        seconds = sum(one.seconds for one in some)
        lines.append(
            f"Left out, {reason}: {', '.join(names)}{more}" + (f"; {seconds:.1f} seconds in all" if seconds else "")
        )
    return lines
