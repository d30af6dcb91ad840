import itertools

import numpy as np

from emo_core.emote.bank import CURVES
from emo_core.emote.blinks import BlinkTrack
from emo_core.emote.head import LIMIT, SpeedControl, limited, mean_speed
from emo_core.emote.motion_units import STEP, UnitTrack
from emo_core.emote.prosody import Prosody
from tests.conftest import tone

from .conftest import made_bank


class Watched(UnitTrack):
    """Keeps the places that were chosen."""

    def _joined(self, steps):
        self.chosen = [*getattr(self, "chosen", []), *steps]
        return super()._joined(steps)


def track(seed=0, seconds=40, kind=UnitTrack):
    sound = tone(seconds)
    return kind(made_bank(), Prosody(sound / sound.std(), seconds * 25, 25.0), np.random.default_rng(seed))


def test_motion_is_not_used_again_for_twenty_seconds():
    watched = track(kind=Watched)
    for _ in range(5):
        watched.take(20)
    count, last = 60 * 25, {}
    for number, (place, _) in enumerate(watched.chosen):
        for frame in range(place % count, place % count + STEP):
            assert (number - last.get(frame, -1000)) * STEP >= 500
            last[frame] = number


def test_units_last_20_to_60_frames():
    watched = track(kind=Watched)
    watched.take(100)
    joints = [number for number, (_, joint) in enumerate(watched.chosen) if joint]
    lengths = [STEP * (b - a) for a, b in itertools.pairwise(joints)]
    assert len(lengths) > 5
    assert max(lengths) <= 60
    assert np.mean(np.array(lengths) >= 20) > 0.9


def test_joints_are_smooth():
    motion = track().take(80)
    bank = made_bank().rotation
    inner = np.diff(bank, 2, axis=0)
    inner = np.delete(inner, [len(bank) // 2 - 1, len(bank) // 2 - 2], axis=0)
    assert np.abs(np.diff(motion.rotation, 2, axis=0)).max() < 4 * np.abs(inner).max()
    assert motion.curves.shape == (800, len(CURVES))


def test_blocks_are_one_track():
    whole, parts = track().take(40).rotation, track()
    parts = np.concatenate([parts.take(20).rotation, parts.take(20).rotation])
    np.testing.assert_allclose(whole[:150], parts[:150], atol=5)  # The search looks ahead, so choices may differ.
    assert np.linalg.norm(np.diff(parts, axis=0), axis=1).max() < 2


def test_blinks_come_at_the_usual_rate():
    pause = np.zeros(25 * 600, bool)
    for seed in range(3):
        curve = BlinkTrack(made_bank().blinks, pause, np.random.default_rng(seed), rate=1, fps=25).take(0, len(pause))
        shut = curve[:, 0] > 0.5
        assert 80 <= (shut[1:] & ~shut[:-1]).sum() <= 250
        assert curve.max() == 1
    assert not BlinkTrack(made_bank().blinks, pause, np.random.default_rng(0), rate=0, fps=25).take(0, 100).any()


def test_a_blink_moves_to_a_pause():
    pause = np.zeros(25 * 60, bool)
    for start in range(50, 1500, 80):
        pause[start : start + 12] = True
    curve = BlinkTrack(made_bank().blinks, pause, np.random.default_rng(0), rate=1, fps=25).take(0, len(pause))
    near = np.convolve(pause, np.ones(25), "same") > 0
    assert near[curve[:, 0] == 1].mean() > 0.4


def test_turns_are_limited_smoothly():
    turns = np.linspace(0, 60, 500)[:, None] * [0, 1, 0]
    bent = np.linalg.norm(limited(turns, LIMIT), axis=1)
    assert bent.max() <= LIMIT
    assert (np.diff(bent) >= 0).all()
    np.testing.assert_allclose(bent[:50], turns[:50, 1])


def test_pauses_are_calmer_than_speech():
    rotation = made_bank().rotation
    control = SpeedControl(mean_speed(rotation))
    calm, _ = control.scaled(rotation[:200] * 0.05, rotation[:200], np.full(200, 0.3))
    assert mean_speed(calm) < 0.15
