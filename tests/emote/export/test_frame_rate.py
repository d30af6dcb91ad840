"""Other frame rates: blinks close, lips close, nothing aliases."""

import numpy as np
import pytest

from emo_core.emote.export.frame_rate import at_rate
from emo_core.face.motion import FaceMotion


def blinking(fps, seconds=4.0, width=2):
    """A blink of few frames each half second, lips that close between."""
    frames = round(seconds * fps)
    lid, jaw = np.zeros(frames), np.full(frames, 0.6)
    for middle in range(int(fps / 4), frames - width, int(fps / 2)):
        lid[middle - width : middle + width + 1] = 1 - np.abs(np.arange(-width, width + 1)) / (width + 0.5)
        jaw[middle] = 0.0
    return FaceMotion.still(frames, fps).with_curves({"eyeBlinkLeft": lid, "jawOpen": jaw})


@pytest.mark.parametrize("fps", [30, 48, 60, 120])
def test_blinks_and_lips_still_close_at_higher_rates(fps):
    source = blinking(25)
    made = at_rate(source, fps)
    assert (made.fps, len(made)) == (fps, 4 * fps)
    count = int((source.curve("jawOpen") == 0).sum())
    assert int((made.curve("jawOpen") == 0).sum()) == count
    assert int((made.curve("eyeBlinkLeft") == 1).sum()) == count
    # A plain interpolation loses some of them.
    assert int((source.resampled(fps).curve("jawOpen") < 1e-6).sum()) < count


@pytest.mark.parametrize(("source", "fps"), [(60, 24), (60, 25), (60, 30), (25, 24)])
def test_blinks_still_close_at_lower_rates(source, fps):
    motion = blinking(source)
    made = at_rate(motion, fps)
    assert int((made.curve("eyeBlinkLeft") == 1).sum()) == int((motion.curve("eyeBlinkLeft") == 1).sum())


def test_lips_still_close_at_nearly_the_same_rate():
    motion = blinking(25)
    closed = int((motion.curve("jawOpen") == 0).sum())
    assert int((at_rate(motion, 24).curve("jawOpen") == 0).sum()) == closed
    assert int((motion.resampled(24).curve("jawOpen") < 1e-6).sum()) < closed


def test_fast_trembling_does_not_alias_into_slow_motion():
    time = np.arange(240) / 60
    tremble = 0.5 + 0.4 * np.sin(2 * np.pi * 24 * time)
    motion = FaceMotion.still(240, 60).with_curves({"jawOpen": tremble})
    swing = np.ptp(at_rate(motion, 25).curve("jawOpen")[2:-2])
    assert swing < 0.25 * np.ptp(tremble)
    assert np.ptp(motion.resampled(25).curve("jawOpen")[2:-2]) > 0.8 * np.ptp(tremble)  # Without the mean it does.


@pytest.mark.parametrize("fps", [1, 24, 24.5, 30, 60])
def test_slow_motion_and_the_head_keep_their_times(fps):
    time = (np.arange(250) + 0.5) / 25
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * 0.1 * time)
    still = FaceMotion.still(250, 25).with_curves({"jawOpen": wave})
    motion = FaceMotion(coefficients=still.coefficients, rotation=np.tile(20 * wave[:, None], 3).astype(np.float32),
                        translation=still.translation, fps=25.0)  # fmt: skip
    made = at_rate(motion, fps)
    times = (np.arange(len(made)) + 0.5) / fps
    expected = 0.5 + 0.4 * np.sin(2 * np.pi * 0.1 * times)
    inside = slice(1, -1)
    assert np.abs(made.curve("jawOpen") - expected)[inside].max() < 0.02
    assert np.abs(made.rotation[:, 1] - 20 * expected)[inside].max() < 0.4


def test_the_same_rate_changes_nothing():
    motion = blinking(25)
    assert at_rate(motion, 25) is motion


def test_one_frame_stays_one_frame():
    assert len(at_rate(FaceMotion.still(1, 60), 24)) == 1
