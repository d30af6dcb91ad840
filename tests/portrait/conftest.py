"""A portrait that is prepared once, with its landmarks."""

import numpy as np
import pytest
import torch
from PIL import Image

from emo_core.face.detectors import make_detector
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import load_rig
from emo_core.media.picture import load_picture
from emo_core.portrait.mouth import load_network
from emo_core.portrait.prepare import prepare_portrait
from emo_core.portrait.render import PortraitRenderer
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def detector():
    pytest.importorskip("mediapipe", reason="face points come from MediaPipe")
    return make_detector(landmarks=True, quiet=True)


@pytest.fixture(scope="session")
def rig():
    return load_rig()


@pytest.fixture(scope="session")
def picture():
    return load_picture(ROOT / "assets" / "portrait.png")


@pytest.fixture(scope="session")
def prepared(picture, detector, rig):
    return prepare_portrait(picture, detector, rig, size=256)


@pytest.fixture(scope="session")
def renderer(prepared, rig):
    return PortraitRenderer(prepared, rig, load_network(torch.device("cpu")))


def motion_of(frames=1, rotation=(0, 0, 0), **curves):
    """The same expression in all frames."""
    motion = FaceMotion.still(frames, 25).with_curves({name: np.full(frames, value) for name, value in curves.items()})
    return FaceMotion(
        coefficients=motion.coefficients, rotation=np.tile(np.float32(rotation), (frames, 1)),
        translation=motion.translation, fps=25,
    )  # fmt: skip


def drawn(renderer, **changes):
    (frame,) = renderer.frames(motion_of(**changes))
    return frame


def resized(picture, width, height):
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
