"""The Live Link Face CSV, read back by two readers written from the format's description."""

import csv

import numpy as np
import pytest

from emo_core.emote.export.files import export_motion
from emo_core.face.coefficients import NAMES
from emo_core.face.motion import FaceMotion
from emo_core.face.rotation import rotation_matrices

COLUMNS = (
    "Timecode BlendShapeCount EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft "
    "EyeWideLeft EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight "
    "EyeWideRight JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel MouthPucker MouthRight MouthLeft "
    "MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft "
    "MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight "
    "MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp "
    "BrowOuterUpLeft BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut "
    "HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll"
).split()


def read_by_name(path):
    """As importers do: columns by name; time in seconds, FF counted at 60."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    curves = {name[0].lower() + name[1:]: [float(row[name]) for row in rows] for name in rows[0] if "Timecode" != name}
    clocks = [list(map(float, row["Timecode"].split(":"))) for row in rows]
    return curves, [h * 3600 + m * 60 + s + f / 60 for h, m, s, f in clocks]


def read_by_place(path):
    """Strict: the exact header, 63 cells, fixed digits. Rows of (timecode, 52 shapes, 9 angles)."""
    data = path.read_bytes()
    assert data.endswith(b"\n") and b"\r" not in data and b'"' not in data
    head, *lines = data.decode("ascii").splitlines()
    assert head == ",".join(COLUMNS)
    rows = []
    for line in lines:
        timecode, count, *cells = line.split(",")
        assert count == "61" and len(cells) == 61 and all(len(cell.split(".")[1]) == 10 for cell in cells)
        assert len(timecode) == 15 and timecode[8] == ":" and timecode[11] == "."
        values = list(map(float, cells))
        rows.append((timecode, values[:52], values[52:]))
    return rows


@pytest.fixture
def written(motion, rig, tmp_path):
    path = tmp_path / "face.csv"
    export_motion(motion, path, rig=rig, timecode="23:59:59:20")
    return path


def test_a_reader_by_name_finds_every_curve(written, motion):
    curves, seconds = read_by_name(written)
    for name in NAMES:
        assert np.allclose(curves[name], motion.curve(name), atol=1e-9), name
    assert set(curves["tongueOut"]) == {0.0} and set(curves["blendShapeCount"]) == {61.0}
    assert np.allclose(np.diff(seconds) % 86400, 1 / 25, atol=1e-4)  # Over midnight.


def test_a_reader_by_place_finds_the_app_s_order(written, motion):
    rows = read_by_place(written)
    shapes = np.array([row[1] for row in rows])
    swapped = [COLUMNS[2 + place] for place in (15, 16, 21, 22)]
    assert swapped == ["JawRight", "JawLeft", "MouthRight", "MouthLeft"]
    for place, name in ((15, "jawRight"), (16, "jawLeft"), (21, "mouthRight"), (22, "mouthLeft"), (17, "jawOpen")):
        assert np.allclose(shapes[:, place], motion.curve(name), atol=1e-9)
    assert rows[0][0] == "23:59:59:48.000" and rows[5][0] == "00:00:00:00.000"


def test_both_readers_agree(written):
    curves, _ = read_by_name(written)
    rows = read_by_place(written)
    names = [name[0].lower() + name[1:] for name in COLUMNS[2:]]
    assert np.array_equal([curves[name] for name in names], np.array([row[1] + row[2] for row in rows]).T)


def about(axis, radians):
    vector = np.zeros((1, 3))
    vector[0, axis] = np.rad2deg(radians)
    return rotation_matrices(vector)[0]


def test_the_head_s_angles_make_its_rotation(written, motion):
    turns = rotation_matrices(motion.rotation)
    for row, turn in zip(read_by_place(written), turns, strict=True):
        yaw, pitch, roll = row[2][:3]
        assert np.allclose(about(1, yaw) @ about(0, -pitch) @ about(2, roll), turn, atol=1e-6)


def test_signs_are_the_app_s(rig, tmp_path):
    still = FaceMotion.still(3, 25)
    # Head up; to the person's left; tilted to the person's right shoulder, which is left in the picture.
    rotation = np.array([[-10, 0, 0], [0, 20, 0], [0, 0, 5]], np.float32)
    gaze = still.with_gaze(
        np.array([[12.0, 0], [0, 9.0], [0, 0]])
    )  # To the picture's right, which is the person's left; up.
    motion = FaceMotion(
        coefficients=gaze.coefficients, rotation=rotation, translation=still.translation, fps=25.0, names=gaze.names
    )
    export_motion(motion, tmp_path / "face.csv", rig=rig)
    angles = np.rad2deg([row[2] for row in read_by_place(tmp_path / "face.csv")])
    assert np.allclose(angles[:, :3], [[0, 10, 0], [20, 0, 0], [0, 0, 5]], atol=1e-4)
    for eye in (slice(3, 6), slice(6, 9)):
        assert np.allclose(angles[:, eye], [[-12, 0, 0], [0, -9, 0], [0, 0, 0]], atol=1e-4)


@pytest.mark.parametrize(("fps", "step"), [(24, 2.5), (25, 2.4), (30, 2), (60, 1)])
def test_rows_come_at_the_rate_that_was_asked(motion, rig, tmp_path, fps, step):
    export_motion(motion, tmp_path / "face.csv", rig=rig, fps=fps, timecode="10:20:30:00")
    rows = read_by_place(tmp_path / "face.csv")
    assert len(rows) == round(1.2 * fps)
    assert rows[1][0] == f"10:20:30:{step:06.3f}"
