"""A motion that shows everything: blinks, lips, gaze and a turning head."""

import numpy as np
import pytest

from emo_core.face.coefficients import NAMES
from emo_core.face.motion import FaceMotion
from emo_core.face.rig import FaceRig, load_rig


@pytest.fixture(scope="session")
def rig() -> FaceRig:
    return load_rig()


@pytest.fixture
def motion() -> FaceMotion:
    rng = np.random.default_rng(3)
    return FaceMotion(
        coefficients=rng.random((30, len(NAMES))).astype(np.float32),
        rotation=rng.normal(0, 25, (30, 3)).astype(np.float32),
        translation=rng.normal(0, 0.2, (30, 3)).astype(np.float32),
        fps=25.0,
    )
