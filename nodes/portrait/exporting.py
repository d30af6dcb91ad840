"""Face motions as files of other programs, in the host's folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker

from ...emo_core.emote.export.files import export_motion
from ...emo_core.face.motion import FaceMotion
from ...emo_core.face.rig import load_rig
from ..host.folders import next_output, output_folder

MODEL = ".glb"
"""Suffix of the files that the host's 3D viewer plays."""


@dataclass(frozen=True, slots=True)
class Export:
    """The settings of ExportFaceMotion."""

    suffix: str
    fps: float | None
    """None for the motion's own."""
    timecode: str
    prefix: str
    """Folder and start of the name, in the output folder."""


def export(motion: FaceMotion, settings: Export) -> Path:
    """Write a file to the output folder.

    Raises:
        InputError: if it cannot be written, or a setting is wrong.
    """
    path = next_output(settings.prefix, settings.suffix)
    export_motion(motion, path, rig=load_rig(), fps=settings.fps, timecode=settings.timecode)
    return path


def model_file(path: Path) -> str | ExecutionBlocker:
    """A GLB's name for the host's Preview 3D. Other files stop the nodes wired to it, with a message."""
    if path.suffix != MODEL:
        return ExecutionBlocker(f"Export Face Motion: Preview 3D cannot show {path.suffix}; choose the format GLB")
    return path.relative_to(output_folder()).as_posix()


def shown(path: Path) -> dict[str, Any]:
    """Result for the browser's list of outputs, and for clients."""
    if path.suffix != MODEL:
        return {"text": [str(path)]}
    folder = path.parent.relative_to(output_folder()).as_posix()
    file = {"filename": path.name, "subfolder": "" if folder == "." else folder, "type": "output"}
    return {"text": [str(path)], "3d": [file]}
