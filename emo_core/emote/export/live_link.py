"""The CSV of the Live Link Face app, which Unreal, Blender, Maya, MotionBuilder and Houdini read.

One header and one row per frame: timecode (see `Timecode.live_link`), the count 61, 52 ARKit blend shapes and 9 angles in
radians. In this file JawRight comes before JawLeft and MouthRight before MouthLeft, which the app's network packets have
the other way round: readers must go by name.

Signs of the angles. Head: yaw positive to the person's own left, pitch up, roll to the own right shoulder. Eyes, in the
head: yaw positive to the person's own right, pitch down, roll 0. Those of the eyes are fitted to a recording of the app
(think-biq/LLV, examples/dao.gesichter, 180 frames), where eye yaw is -.61 and eye pitch about -.65 radians times the
eyeLook curves. Those of the head are inferred: in the recording the head's yaw goes along with the eyes' yaw (r .95), and
its pitch with theirs (r .48), as when a person keeps looking at the phone; roll goes by ARKit's axes. Shapes that the
motion does not have, such as TongueOut, are 0.
"""

from pathlib import Path

import numpy as np

from ...face.coefficients import GAZE_DEGREES, NAMES
from ...face.motion import FaceMotion
from .head_pose import yaw_pitch_roll
from .timecode import Timecode

TONGUE = "tongueOut"
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
SHAPES = (*(_SWAPPED.get(name, name) for name in NAMES), TONGUE)
"""52 ARKit names in the order of the columns."""
ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))


def title(name: str) -> str:
    """`eyeBlinkLeft` as `EyeBlinkLeft`."""
    return name[:1].upper() + name[1:]


HEADER = ("Timecode", "BlendShapeCount", *map(title, SHAPES), *ANGLES)


def write_live_link(motion: FaceMotion, path: Path, start: Timecode) -> None:
    """Write a motion; `start` is the timecode of its first frame and has its frame rate."""
    values = np.concatenate([motion.curves(SHAPES), _angles(motion)], axis=1)
    lines = [",".join(HEADER)]
    for number, row in enumerate(values):
        cells = (f"{value:.10f}" for value in row)
        lines.append(f"{start.live_link(number)},{values.shape[1]},{','.join(cells)}")
    Path(path).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def _angles(motion: FaceMotion) -> np.ndarray:
    """(F, 9) radians, in the order of ANGLES; 0 has no minus sign."""
    columns = [*yaw_pitch_roll(motion.rotation).T]
    for side in ("Left", "Right"):
        up = motion.curve(f"eyeLookUp{side}") - motion.curve(f"eyeLookDown{side}")
        out = motion.curve(f"eyeLookOut{side}") - motion.curve(f"eyeLookIn{side}")
        to_right = -out if side == "Left" else out
        columns += [np.deg2rad(GAZE_DEGREES) * to_right, np.deg2rad(GAZE_DEGREES) * -up, np.zeros(len(motion))]
    return np.stack(columns, axis=1) + 0.0
