"""Portraits, films and motions for the face motion nodes."""

import dataclasses
import importlib.util

import av
import numpy as np
import pytest
import torch
from PIL import Image

from emo_core.face.detectors import make_detector
from tests.conftest import ROOT
from tests.nodes.conftest import Graph, module

FILM = ROOT / "assets" / "performance.mp4"
needs_points = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="mediapipe finds the points of a face"
)


def picture(name="woman.jpg", size=None):
    """IMAGE as Load Image gives it."""
    image = Image.open(ROOT / "assets" / name).convert("RGB")
    return torch.from_numpy(np.asarray(image.resize(size) if size else image, np.float32) / 255)[None]


def waves(frames=6, fps=25.0):
    """A motion in which everything moves."""
    core = module(".emo_core.face.motion")
    place = np.linspace(0, 1, frames, dtype=np.float32)
    motion = core.FaceMotion.still(frames, fps)
    curves = dict.fromkeys(("jawOpen", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookUpLeft"), place * 0.6)
    turn = np.stack([place * 3, place * 6, place], axis=1)
    return dataclasses.replace(motion.with_curves(curves), rotation=turn, translation=turn / 100)


def video(path=FILM):
    return module("comfy_api.latest").InputImpl.VideoFromFile(str(path))


def film_frames(count=None):
    with av.open(str(FILM)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][:count]
    return torch.from_numpy(np.stack(frames).astype(np.float32) / 255)


def watch(nodes, **given):
    settings = {"fps": 25.0, "face_index": 0, "start": 0.0, "duration": 0.0}
    return nodes.FaceMotionFromVideo.execute(**(settings | given)).args


def animate(portrait, motion, **given):
    settings = {"face_index": 0, "size": 128, "paste_back": False, "return_frames": True}
    inputs = {"portrait": portrait, "motion": motion, **(settings | given)}
    return Graph({"node": {"class_type": "AnimatePortrait", "inputs": inputs}}).execute("node", inputs)


def wired(pictures):
    """FACE_LANDMARKS as the host's Detect Face Landmarks gives them for pictures (B, H, W, 3)."""
    detector, frames = make_detector(landmarks=True), []
    for shown in (pictures.numpy() * 255).round().astype(np.uint8):
        meshes = [face.landmarks for face in detector.detect(shown)]
        frames.append([{"landmarks_xy": mesh[:, :2], "landmarks_3d": mesh * 0.7 + 30} for mesh in meshes])
    return {"frames": frames, "image_size": tuple(pictures.shape[1:3])}
