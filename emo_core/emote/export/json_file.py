"""Face motion as JSON, for scripts and web pages."""

import json
from pathlib import Path

import numpy as np

from ...face.motion import FaceMotion
from .timecode import Timecode

FORMAT = "face-motion-json-1"
UNITS = {
    "coefficients": "0 .. 1, one row per frame in the order of names (ARKit blend shapes)",
    "rotation": "degrees; rotation vector (axis times angle); x right in the picture, y up, z to the camera",
    "translation": "distances between the outer eye corners; same axes",
}
DIGITS = 6


def write_json_motion(motion: FaceMotion, path: Path, start: Timecode) -> None:
    """Write a motion; `start` is the timecode of its first frame."""
    content = {
        "format": FORMAT,
        "units": UNITS,
        "fps": motion.fps,
        "timecode": str(start),
        "frames": len(motion),
        "names": list(motion.names),
        "coefficients": _rows(motion.coefficients),
        "head": {"rotation": _rows(motion.rotation), "translation": _rows(motion.translation)},
    }
    Path(path).write_text(json.dumps(content) + "\n", encoding="utf-8")


def _rows(values: np.ndarray) -> list[list[float]]:
    return (np.round(values.astype(np.float64), DIGITS) + 0.0).tolist()
