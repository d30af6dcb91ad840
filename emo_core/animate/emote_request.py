"""What the command `emote` is asked for: a voice, emotions, and places to write to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..emote.config import FPS
from ..emote.export.files import SUFFIXES as EXPORTS
from ..emote.export.timecode import Timecode
from ..emote.export.vmc import HOST, PORT, check_address
from ..emotion import EMOTIONS, EmotionCurve, emotion_named
from ..errors import InputError
from ..face.motion_drawing import SIZES
from ..face.motion_file import SUFFIX
from ..files import existing_file, writable_file, writable_folder
from ..media.sound import EXPECTED
from ..media.video_writer import check_output
from .checks import check_no_input, check_numbers

MP4 = ".mp4"
FORMATS = (MP4, *EXPORTS, SUFFIX)
TIMED = (".csv", ".glb", ".json")
"""Formats that hold a timecode."""
ALL = "all"
MOST = 16
"""Emotions in one command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmoteRequest:
    """The user's inputs and options."""

    voice: Path
    out: Path | None = None
    """A file of one of FORMATS, or a folder."""
    formats: tuple[str, ...] = (MP4,)
    """Of the files in a folder."""
    emotions: Mapping[str, EmotionCurve] = field(default_factory=dict)
    """By name; several give as many results. Empty to propose one from the voice."""
    several: bool = False
    """Whether results carry the names of their emotions."""
    strength: float = 1.0
    """Of an emotion that is proposed."""
    emotion_style: int = 0
    model: Path | None = None
    """An emote .safetensors; None for the pack's."""
    portrait: Path | None = None
    """That wears the motion in an mp4; None for the rig's own face."""
    face_model: Path | None = None
    size: int | None = None
    """Side of a face in an mp4, in pixels."""
    seed: int = 0
    fps: float | None = None
    timecode: str | None = None
    """Of the first frame, HH:MM:SS:FF."""
    vmc: str | None = None
    """HOST:PORT that the motion is sent to in real time."""
    other_computers: bool = False
    """Whether that may be outside this computer."""
    max_seconds: float | None = None
    device: str = "auto"

    @property
    def folder(self) -> bool:
        """Whether `out` is a folder."""
        return self.out is not None and (self.out.is_dir() or not self.out.suffix)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Formats that are written."""
        if self.out is None:
            return ()
        return self.formats if self.folder else (self.out.suffix.lower(),)


def named_emotions(text: str, strength: float) -> dict[str, EmotionCurve]:
    """Read `all`, or a list such as `happy,sad@0.5,fear@0.5+surprise@0.5`.

    Raises:
        InputError: for anything else, an emotion that comes twice, or a strength out of range.
    """
    names = EMOTIONS if text.strip().lower() == ALL else [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(names) <= MOST:
        raise InputError(f"emotions: got {len(names)} in {text!r}; expected {ALL}, or a list such as happy,sad,fear")
    curves: dict[str, EmotionCurve] = {}
    for name in names:
        if ":" in name:
            raise InputError(f"emotions: got {name!r}; expected names without times; give a curve with --emotion")
        known = name.lower() if {"@", "+"} & set(name) else emotion_named(name)
        if known in curves:
            raise InputError(f"emotions: got {known} twice; give each once")
        curves[known] = EmotionCurve.parse(known, strength)
    return curves


def check_request(request: EmoteRequest) -> None:
    """Check all that can be checked before anything is loaded.

    Raises:
        InputError: for a request that cannot succeed.
    """
    existing_file(request.voice, "audio", EXPECTED)
    if request.out is None and request.vmc is None and request.emotions:
        raise InputError("out: got no place for the result; give --out, or --vmc HOST:PORT")
    if wrong := [suffix for suffix in request.suffixes if suffix not in FORMATS]:
        raise InputError(f"out: got {wrong[0]!r}; expected a folder, or a name ending in {', '.join(FORMATS)}")
    check_numbers(fps=request.fps, max_seconds=request.max_seconds, seed=request.seed)
    if request.emotion_style < 0:
        raise InputError(f"emotion style: got {request.emotion_style}; expected 0 or more")
    low, high = SIZES
    if request.size is not None and not low <= request.size <= high:
        raise InputError(f"size: got {request.size}; expected {low} .. {high} pixels")
    _check_uses(request)
    if request.timecode is not None:
        Timecode.parse(request.timecode, request.fps or FPS)
    if request.vmc is not None:
        check_address(*parse_address(request.vmc), other_computers=request.other_computers)


def parse_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT; an address of IPv6 may stand in brackets.

    Raises:
        InputError: for anything else.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdecimal()):
        raise InputError(f"VMC: got {text!r}; expected HOST:PORT such as {HOST}:{PORT}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _check_uses(request: EmoteRequest) -> None:
    """Options that nothing of the request would use."""
    video = MP4 in request.suffixes
    if request.portrait is not None and not video:
        raise InputError("portrait: only an .mp4 shows it; write one, or leave the portrait out")
    if request.size is not None and not video:
        raise InputError("size: only an .mp4 has one; write one, or leave the size out")
    if request.timecode is not None and not {*TIMED} & {*request.suffixes}:
        raise InputError(f"timecode: only {', '.join(TIMED)} have one; write one of them, or leave the timecode out")
    if request.several and request.out is not None and not request.folder and not video:
        raise InputError(
            f"out: a {request.out.suffix} holds one emotion and {len(request.emotions)} were asked for; give a folder, or an .mp4 "
            "that shows them side by side"
        )
    if request.several and request.vmc is not None:
        raise InputError("vmc: one emotion is sent at a time; give --emotion in place of --emotions")


def planned_files(request: EmoteRequest, names: tuple[str, ...]) -> dict[Path, tuple[str, ...]]:
    """The emotions, by name, that each file holds.

    Raises:
        InputError: if a file would replace an input.
    """
    if request.out is None:
        return {}
    files = {request.out: names}
    if request.folder:
        stem = request.voice.stem
        files = {
            request.out / (f"{stem}-{name}{suffix}" if request.several else f"{stem}{suffix}"): (name,)
            for name in names
            for suffix in request.formats
        }
    for file in files:
        check_no_input(file, request.voice, request.portrait, request.model)
    return files


def check_places(request: EmoteRequest) -> None:
    """Test that the results can be written. Folders are made.

    Raises:
        InputError: if they cannot.
    """
    if request.out is None:
        return
    if request.folder:
        writable_folder(request.out, "out")
    elif request.out.suffix.lower() == MP4:
        check_output(request.out)
    else:
        writable_file(request.out, "out")
