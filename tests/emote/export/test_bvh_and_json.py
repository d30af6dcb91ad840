"""BVH and JSON, read back."""

import json

import numpy as np
import pytest

from emo_core.emote.export.files import export_motion
from emo_core.face.motion import FaceMotion
from emo_core.face.rotation import rotation_matrices


def read_bvh(path):
    """Offsets and rotation matrices of the root, by the channels that the file names."""
    words = path.read_text().split()
    assert words[:3] == ["HIERARCHY", "ROOT", "Head"]
    place = words.index("CHANNELS")
    count = int(words[place + 1])
    channels = words[place + 2 : place + 2 + count]
    frames = int(words[words.index("Frames:") + 1])
    seconds = float(words[words.index("Time:") + 1])
    values = np.array(words[words.index("Time:") + 2 :], float).reshape(frames, count)
    turns, places = np.tile(np.eye(3), (frames, 1, 1)), np.zeros((frames, 3))
    for channel, column in zip(channels, values.T, strict=True):
        axis = "XYZ".index(channel[0])
        if channel.endswith("position"):
            places[:, axis] = column
        else:
            about = np.zeros((frames, 3))
            about[:, axis] = column
            turns = turns @ rotation_matrices(about)
    return channels, seconds, places, turns


def test_a_bvh_holds_the_head(motion, rig, tmp_path):
    export_motion(motion, tmp_path / "head.bvh", rig=rig)
    channels, seconds, places, turns = read_bvh(tmp_path / "head.bvh")
    assert channels == "Xposition Yposition Zposition Zrotation Xrotation Yrotation".split()
    assert seconds == pytest.approx(1 / 25)
    assert np.allclose(places, motion.translation * 9, atol=1e-5)  # Centimetres.
    assert np.allclose(turns, rotation_matrices(motion.rotation), atol=1e-6)


def test_angles_do_not_jump(rig, tmp_path):
    still = FaceMotion.still(100, 25)
    spin = np.zeros((100, 3), np.float32)
    spin[:, 1] = np.linspace(-170, 170, 100)
    tilted = FaceMotion(coefficients=still.coefficients, rotation=spin, translation=still.translation, fps=25.0)
    export_motion(tilted, tmp_path / "head.bvh", rig=rig)
    words = (tmp_path / "head.bvh").read_text().splitlines()[-100:]
    angles = np.array([line.split()[3:] for line in words], float)
    assert np.abs(np.diff(angles, axis=0)).max() < 10


def test_json_holds_everything(motion, rig, tmp_path):
    export_motion(motion, tmp_path / "face.json", rig=rig, timecode="10:00:00:05")
    content = json.loads((tmp_path / "face.json").read_text())
    assert (content["fps"], content["timecode"], content["frames"]) == (25, "10:00:00:05", 30)
    made = FaceMotion(
        coefficients=np.array(content["coefficients"], np.float32),
        rotation=np.array(content["head"]["rotation"], np.float32),
        translation=np.array(content["head"]["translation"], np.float32),
        fps=content["fps"],
        names=tuple(content["names"]),
    )
    assert made.names == motion.names
    for part in ("coefficients", "rotation", "translation"):
        assert np.allclose(getattr(made, part), getattr(motion, part), atol=1e-5)
