"""Similarity of generated frames to true ones."""

import numpy as np
import pytest

from emo_core.media.picture import load_picture
from emo_core.metrics.similarity import compare_frames, psnr
from tests.conftest import ROOT


def test_psnr_equals_the_formula():
    true = np.full((2, 4, 4, 3), 100, np.uint8)
    assert psnr(true + 10, true) == pytest.approx(10 * np.log10(255**2 / 100))
    assert psnr(true, true) > 100


def test_frames_equal_themselves_and_noise_has_no_face():
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    from PIL import Image

    from emo_core.face.mediapipe_detector import BundledDetector

    face = Image.fromarray(load_picture(ROOT / "assets" / "portrait.png"))
    true = np.stack([np.asarray(face.rotate(t)) for t in range(6)])
    same = compare_frames(true, None, true, BundledDetector())
    assert same.psnr > 90 and same.face_found == 1 and same.spread == pytest.approx(1)
    assert same.yaw == pytest.approx(1) and np.isnan(same.opening_shuffled)
    noise = np.random.default_rng(0).integers(0, 255, true.shape, dtype=np.uint8)
    faceless = compare_frames(noise, None, true, BundledDetector())
    assert faceless.face_found == 0 and np.isnan(faceless.opening)
