"""The head's motion as BVH: one joint with six channels.

Positions are in centimetres, rotations in degrees about z, x and y: turn = Rz Rx Ry, on the axes x right in the picture,
y up, z to the camera. BVH has no place for a timecode: the first frame is frame 0.
"""

from pathlib import Path

import numpy as np

from ...face.motion import FaceMotion
from .head_pose import EYE_CORNERS, zxy_degrees

CENTIMETRES = 100 * EYE_CORNERS
"""Per unit of length of a face motion."""
_HIERARCHY = """HIERARCHY
ROOT Head
{
\tOFFSET 0.000000 0.000000 0.000000
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
\tEnd Site
\t{
\t\tOFFSET 0.000000 10.000000 0.000000
\t}
}
MOTION"""


def write_bvh(motion: FaceMotion, path: Path) -> None:
    """Write the head of a motion."""
    values = np.concatenate([motion.translation * CENTIMETRES, zxy_degrees(motion.rotation)], axis=1) + 0.0
    lines = [_HIERARCHY, f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in values]
    Path(path).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
