"""Inputs and their meaning that nodes of several models share."""

from pathlib import Path

from comfy_api.latest import io

from .schema import advanced
from .sockets import FaceLandmarks

DAY = 86400.0
"""Longest start and length of an excerpt, in seconds."""


def excerpt_inputs(whole: str) -> list[io.Input]:
    """Start and length of a part of something that lasts, such as `sound`."""
    return [
        io.Float.Input("start", default=0.0, min=0.0, max=DAY, step=0.01, tooltip="Start of the excerpt, in seconds."),
        io.Float.Input(
            "duration",
            default=0.0,
            min=0.0,
            max=DAY,
            step=0.01,
            tooltip=f"Length of the excerpt, in seconds. 0 uses the whole {whole}.",
        ),
    ]


def fps_input(default: float, least: float, tooltip: str) -> io.Input:
    """Frame rate of what a node makes from a sound."""
    return advanced(io.Float.Input("fps", default=default, min=least, max=120.0, step=1.0, tooltip=tooltip))


def loudness_input(listener: str, note: str = "") -> io.Input:
    """Gain of what a model hears; `listener` is the part of it that does."""
    return advanced(
        io.Float.Input(
            "loudness",
            default=0.0,
            min=-20.0,
            max=20.0,
            step=0.5,
            tooltip=(
                f"Gain in dB of the {listener}'s input, which is normalised to a common speech level first. The sound in the "
                f"video does not change.{note}"
            ),
        )
    )


def landmarks_input(source: str, note: str) -> io.Input:
    """The host's face landmarks; `source` are the pictures they must be made from."""
    return FaceLandmarks.Input(
        "face_landmarks", optional=True, tooltip=f"From ComfyUI's Detect Face Landmarks, made from {source}{note}"
    )


POINTS_ARE_NEEDED = ". Needed where ComfyUI's Python has no MediaPipe, which finds the points otherwise."
"""Note of `landmarks_input` where a node cannot do without points."""


def face_index_input(most: int, place: str = "", note: str = "") -> io.Input:
    """Which of several faces."""
    return io.Int.Input(
        "face_index",
        default=0,
        min=0,
        max=most,
        tooltip=f"Number of the face{place}, by size: 0 is the largest.{note}",
    )


def emotion_style_input() -> io.Input:
    """Whose way of showing emotions a face has."""
    return io.Int.Input(
        "emotion_style",
        default=0,
        min=0,
        max=9999,
        optional=True,
        tooltip=(
            "Way of showing emotions: 0 is the average person's, every other number another person's, which may be "
            "lopsided, or leave parts of the expression out."
        ),
    )


def file_state(path: Path) -> tuple[str, int]:
    """Path and time of change, so that a node reads a new file of the same name again; 0 if there is none."""
    return str(path), path.stat().st_mtime_ns if path.is_file() else 0
