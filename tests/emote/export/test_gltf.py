"""The GLB, parsed from the glTF 2.0 specification; and the Khronos validator where it is at hand."""

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emo_core.emote.export.files import export_motion
from emo_core.face.rotation import rotation_matrices

WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
TYPES = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}


class Glb:
    """Reads and checks header, chunks and accessors."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, total = struct.unpack_from("<4sII", data)
        assert (magic, version, total) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON" and length % 4 == 0
        self.content = json.loads(data[20 : 20 + length])
        size, kind = struct.unpack_from("<I4s", data, 20 + length)
        assert kind == b"BIN\0" and size % 4 == 0 and 28 + length + size == len(data)
        self.data = data[28 + length :]
        assert size - self.content["buffers"][0]["byteLength"] in range(4)

    def read(self, number):
        """(count, width) values; bounds are checked where they are written."""
        accessor = self.content["accessors"][number]
        view = self.content["bufferViews"][accessor["bufferView"]]
        kind, width = TYPES[accessor["componentType"]], WIDTHS[accessor["type"]]
        assert view["byteOffset"] % 4 == 0 and view["byteOffset"] + view["byteLength"] <= len(self.data)
        assert view["byteLength"] == accessor["count"] * width * kind().itemsize
        values = np.frombuffer(self.data, kind, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)
        for name, end in (("min", values.min(0)), ("max", values.max(0))):
            assert name not in accessor or np.array_equal(np.float32(accessor[name]), end)
        return values

    def bounded(self, number):
        return {"min", "max"} <= set(self.content["accessors"][number])


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("glb")


@pytest.fixture
def glb(motion, rig, folder):
    path = folder / "face.glb"
    if not path.exists():
        export_motion(motion, path, rig=rig, timecode="01:02:03:04")
    return Glb(path)


def test_the_mesh_is_the_rig_s(glb, rig):
    primitive = glb.content["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]
    places = glb.read(attributes["POSITION"])
    assert glb.bounded(attributes["POSITION"])
    assert np.allclose(places[:478], rig.mean * 0.09, atol=1e-6)  # Metres.
    assert 0.08 < np.linalg.norm(places[33] - places[263]) < 0.1
    triangles = glb.read(primitive["indices"]).reshape(-1, 3)
    assert triangles.max() < len(places)
    colours = glb.read(attributes["COLOR_0"])
    assert colours.shape == (len(places), 4) and len(np.unique(colours, axis=0)) >= 8
    assert np.allclose(np.linalg.norm(glb.read(attributes["NORMAL"]), axis=1), 1, atol=1e-5)


def test_triangles_of_the_front_face_the_camera(glb):
    primitive = glb.content["meshes"][0]["primitives"][0]
    places, triangles = glb.read(primitive["attributes"]["POSITION"]), glb.read(primitive["indices"]).reshape(-1, 3)
    a, b, c = (places[corner] for corner in triangles.T)
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.9


def test_every_coefficient_is_a_named_target(glb, rig):
    mesh = glb.content["meshes"][0]
    targets = mesh["primitives"][0]["targets"]
    assert mesh["extras"]["targetNames"] == list(rig.names) and len(targets) == len(rig.names) == len(mesh["weights"])
    for target, basis in zip(targets, rig.basis, strict=True):
        offsets = glb.read(target["POSITION"])
        assert glb.bounded(target["POSITION"]) and np.allclose(offsets[:478], basis * 0.09, atol=1e-6)
        assert glb.read(target["NORMAL"]).shape == offsets.shape


def test_the_animation_is_the_motion(glb, rig, motion):
    animation = glb.content["animations"][0]
    outputs = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        assert sampler["interpolation"] == "LINEAR" and channel["target"]["node"] == 0
        assert glb.bounded(sampler["input"])
        times = glb.read(sampler["input"])[:, 0]
        assert np.allclose(times, np.arange(30) / 25)
        outputs[channel["target"]["path"]] = glb.read(sampler["output"])
    assert np.array_equal(outputs["weights"].reshape(30, -1), motion.curves(rig.names))
    assert np.allclose(outputs["translation"], motion.translation * 0.09, atol=1e-6)
    x, y, z, w = outputs["rotation"].T.astype(float)
    made = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]]).transpose(2, 0, 1)  # fmt: skip
    assert np.allclose(made, rotation_matrices(motion.rotation), atol=1e-5)
    assert ((outputs["rotation"][1:] * outputs["rotation"][:-1]).sum(1) >= 0).all()  # The short way round.


def test_the_points_come_out_as_the_rig_puts_them(glb, rig, motion):
    """Mesh, weights and node together, computed as a viewer does."""
    mesh = glb.content["meshes"][0]["primitives"][0]
    weights = motion.curves(rig.names)
    offsets = np.stack([glb.read(target["POSITION"])[:478] for target in mesh["targets"]])
    places = glb.read(mesh["attributes"]["POSITION"])[:478] + np.einsum("fk,kpi->fpi", weights, offsets)
    turned = places @ rotation_matrices(motion.rotation).transpose(0, 2, 1) + motion.translation[:, None] * 0.09
    assert np.allclose(turned, rig.points(motion) * 0.09, atol=1e-5)


def test_it_knows_its_time(glb):
    extras = glb.content["asset"]["extras"]
    assert extras["fps"] == 25 and extras["timecode"] == "01:02:03:04" and extras["unit"] == "metre"


@pytest.mark.slow
def test_the_khronos_validator_finds_nothing(glb, folder):
    modules = os.environ.get("GLTF_VALIDATOR")
    if not modules or not (Path(modules) / "gltf-validator").is_dir() or not shutil.which("node"):
        pytest.skip("needs node, and GLTF_VALIDATOR: the node_modules folder with npm's gltf-validator")
    program = (
        "const [modules, file] = process.argv.slice(1);"
        "require(modules + '/gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(file)))"
        ".then(report => console.log(JSON.stringify(report.issues)))"
    )
    done = subprocess.run(["node", "-e", program, modules, str(folder / "face.glb")], capture_output=True, text=True)
    issues = json.loads(done.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
