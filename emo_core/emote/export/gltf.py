"""A moving face as GLB (glTF 2.0, binary), which Blender, Unreal, Unity, Godot and web pages open.

One node `Face` with one mesh; the first 478 vertices are the rig's points. A morph target for each coefficient, named in
`mesh.extras.targetNames`, and one animation with the weights and the head's rotation and translation, linear between
frames. Frame n is at n / fps seconds. Lengths are in metres, at 0.09 m between the outer corners of the eyes. `extras` of
the asset hold frame rate and timecode.

Shape legend: F frames, V vertices, K coefficients.
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...face.motion import FaceMotion
from ...face.rig import FaceRig
from ...face.surface import FaceSurface, face_surface
from .head_pose import EYE_CORNERS, quaternions
from .timecode import Timecode

FLOAT, UINT16, UINT8 = 5126, 5123, 5121
"""Component types of glTF."""
VERTICES, INDICES = 34962, 34963
"""Targets of buffer views."""
MAGIC, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
GENERATOR = "ComfyUI-EMO"


@dataclass(slots=True)
class _Buffer:
    """The binary part, with the views and accessors into it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def add(self, values: np.ndarray, kind: str, target: int | None = None, *, bounds: bool = False) -> int:
        """Add an array, one element a row; return its accessor. `bounds` writes its least and greatest values."""
        types = {np.dtype(np.float32): FLOAT, np.dtype(np.uint16): UINT16, np.dtype(np.uint8): UINT8}
        self.data += bytes(-len(self.data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": types[values.dtype],
            "count": len(values),
            "type": kind,
        }
        if target:
            view["target"] = target
        if values.dtype == np.uint8:
            accessor["normalized"] = True
        if bounds:
            rows = values.reshape(len(values), -1)
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.data += np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(motion: FaceMotion, path: Path, start: Timecode, rig: FaceRig) -> None:
    """Write a motion on a rig's mesh; `start` is the timecode of its first frame."""
    surface, buffer = face_surface(rig), _Buffer()
    primitive = _primitive(buffer, rig, surface)
    animation = _animation(buffer, motion, rig)
    about = {"fps": motion.fps, "timecode": str(start), "frames": len(motion), "unit": "metre"}
    content = {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": about},
        "scene": 0,
        "scenes": [{"name": "Scene", "nodes": [0], "extras": about}],
        "nodes": [{"name": "Face", "mesh": 0}],
        "meshes": [
            {
                "name": "Face",
                "primitives": [primitive],
                "weights": [0.0] * len(rig.names),
                "extras": {"targetNames": list(rig.names)},
            }
        ],
        "materials": [
            {
                "name": "Face",
                "doubleSided": True,
                "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0, "roughnessFactor": 0.7},
            }
        ],
        "animations": [animation],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    Path(path).write_bytes(_packed(content, bytes(buffer.data)))


def _primitive(buffer: _Buffer, rig: FaceRig, surface: FaceSurface) -> dict[str, Any]:
    """The mesh and its morph targets; normals move too, or a smile would keep the light of the face at rest."""
    vertices = surface.vertices(rig.mean)
    normals = surface.normals(vertices)
    targets = []
    for offsets in surface.offsets(rig.basis):
        turned = surface.normals(vertices + offsets) - normals
        targets.append(
            {
                "POSITION": buffer.add(_float(offsets * EYE_CORNERS), "VEC3", VERTICES, bounds=True),
                "NORMAL": buffer.add(_float(turned), "VEC3", VERTICES),
            }
        )
    opaque = np.full((len(vertices), 1), 255, np.uint8)
    colours = np.concatenate([_linear(surface.colours), opaque], axis=1)
    return {
        "attributes": {
            "POSITION": buffer.add(_float(vertices * EYE_CORNERS), "VEC3", VERTICES, bounds=True),
            "NORMAL": buffer.add(_float(normals), "VEC3", VERTICES),
            "COLOR_0": buffer.add(colours, "VEC4", VERTICES),
        },
        "indices": buffer.add(surface.triangles.astype(np.uint16).reshape(-1), "SCALAR", INDICES),
        "material": 0,
        "mode": 4,
        "targets": targets,
    }


def _animation(buffer: _Buffer, motion: FaceMotion, rig: FaceRig) -> dict[str, Any]:
    times = buffer.add(_float(np.arange(len(motion)) / motion.fps), "SCALAR", bounds=True)
    values = {
        # All weights of a frame, then those of the next.
        "weights": buffer.add(_float(motion.curves(rig.names)).reshape(-1), "SCALAR"),
        "rotation": buffer.add(_float(quaternions(motion.rotation)), "VEC4"),
        "translation": buffer.add(_float(motion.translation * EYE_CORNERS), "VEC3"),
    }
    return {
        "name": "FaceMotion",
        "samplers": [{"input": times, "output": output, "interpolation": "LINEAR"} for output in values.values()],
        "channels": [{"sampler": n, "target": {"node": 0, "path": path}} for n, path in enumerate(values)],
    }


def _float(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)


def _linear(colours: np.ndarray) -> np.ndarray:
    """Colours in sRGB to linear ones, both uint8, as glTF wants vertex colours."""
    share = colours / 255
    return np.round(255 * np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)).astype(np.uint8)


def _packed(content: dict[str, Any], data: bytes) -> bytes:
    """A GLB: header, JSON padded with spaces, binary padded with zeros."""
    text = json.dumps(content, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    data += bytes(-len(data) % 4)
    total = 12 + 8 + len(text) + 8 + len(data)
    head = struct.pack("<III", MAGIC, 2, total) + struct.pack("<II", len(text), JSON_CHUNK)
    return head + text + struct.pack("<II", len(data), BINARY_CHUNK) + data
