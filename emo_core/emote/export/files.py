"""Write a face motion as a file of another program; its kind goes by the suffix."""

from collections.abc import Callable
from pathlib import Path

from ...errors import InputError
from ...face.motion import FaceMotion
from ...face.rig import FaceRig
from ...files import atomic_path, writable_folder
from .bvh import write_bvh
from .frame_rate import at_rate
from .gltf import write_glb
from .json_file import write_json_motion
from .live_link import write_live_link
from .timecode import START, Timecode, checked_rate

Writer = Callable[[FaceMotion, Path, Timecode, FaceRig], None]
WRITERS: dict[str, Writer] = {
    ".csv": lambda motion, path, start, rig: write_live_link(motion, path, start),
    ".glb": write_glb,
    ".json": lambda motion, path, start, rig: write_json_motion(motion, path, start),
    ".bvh": lambda motion, path, start, rig: write_bvh(motion, path),
}
SUFFIXES = tuple(WRITERS)


def export_motion(
    motion: FaceMotion, path: Path, *, rig: FaceRig, fps: float | None = None, timecode: str = START
) -> None:
    """Write a motion, whole or not at all.

    Args:
        motion: the face.
        path: .csv (Live Link Face), .glb (glTF with morph targets), .json, or .bvh (head only).
        rig: whose mesh a .glb holds.
        fps: frame rate of the file, 1 .. 120; None: the motion's.
        timecode: HH:MM:SS:FF of the first frame, at the rate of the file.

    Raises:
        InputError: for another suffix, a rate or timecode that is none, or a place where nothing can be written.
    """
    path = Path(path)
    write = export_writer(path)
    rate = checked_rate(motion.fps if fps is None else fps)
    start = Timecode.parse(timecode, rate)
    if path.is_dir():
        raise InputError(f"export: {path} is a folder; give the name of a file in it")
    writable_folder(path.parent, "export")
    try:
        with atomic_path(path) as temporary:
            write(at_rate(motion, rate), temporary, start, rig)
    except OSError as error:
        raise InputError(f"export: cannot write {path} ({error.strerror}); give a place you may write to") from error


def export_writer(path: Path) -> Writer:
    """The writer of a file's kind.

    Raises:
        InputError: if its suffix is none of SUFFIXES.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"export: got {path.name!r}; expected a name that ends with {', '.join(SUFFIXES)}")
    return writer
