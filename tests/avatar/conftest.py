"""One face detector for all tests of this folder, and clips of two people."""

import pytest

from emo_core.face.detectors import make_detector
from emo_core.face.rig import load_rig


@pytest.fixture(scope="session")
def detector():
    pytest.importorskip("mediapipe", reason="landmarks need mediapipe")
    return make_detector(landmarks=True, quiet=True)


@pytest.fixture(scope="session")
def rig():
    return load_rig()


@pytest.fixture(scope="session")
def woman(data):
    """Clips of 3 s, 360 x 288, of GRID's s4."""
    return sorted((data / "talk" / "grid_more").glob("s4_*.mp4"))


@pytest.fixture(scope="session")
def man(data):
    """Clips of 3 s, 360 x 288, of GRID's s3."""
    return sorted((data / "talk" / "grid_more").glob("s3_*.mp4"))
