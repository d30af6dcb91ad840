"""Lip sync metrics, on curves with a known lag and correlation."""

import numpy as np
import pytest

from emo_core.metrics.lip_sync import best_lag, envelope_correlation, lag, mouth_metrics, shuffle_sound, smooth
from emo_core.metrics.statistics import correlation, deviation, mean, nan_correlation, ratio, shifted_correlations


def test_correlation_of_linear_and_constant_curves():
    a = np.sin(np.arange(50) / 5)
    assert correlation(a, 3 * a + 2) == pytest.approx(1)
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(a, np.ones(50)) == 0


def test_correlation_skips_missing_frames_and_needs_half_of_them():
    a = np.sin(np.arange(50) / 5)
    gaps = a.copy()
    gaps[::5] = np.nan
    assert nan_correlation(gaps, 2 * a) == pytest.approx(1)
    gaps[:30] = np.nan
    assert np.isnan(nan_correlation(gaps, a))


def test_statistics_of_missing_values():
    gaps = np.array([1.0, np.nan, 3.0])
    assert (mean(gaps), deviation(gaps)) == (2, 1)
    assert mean(gaps[1:2]) is None and deviation(gaps[1:2]) is None
    assert ratio(1.0, 2.0) == 0.5
    assert ratio(None, 2.0) is None and ratio(1.0, None) is None and ratio(1.0, 0.0) is None


def test_a_positive_shift_means_a_late_signal():
    curve = np.random.default_rng(0).uniform(0, 1, 104)
    scores = shifted_correlations(curve[4:], curve[:100], reach=5, min_frames=12)
    assert len(scores) == 11 and int(scores.argmax()) - 5 == 4
    assert np.isnan(shifted_correlations(curve[:12], curve[:12], reach=5, min_frames=12)).sum() == 10


def test_lag_of_a_sound_that_is_late():
    opening = np.repeat(np.random.default_rng(0).uniform(0, 1, 70), 3)
    late = lag(opening[5:205], opening[:200], fps=25.0)
    assert late.seconds == pytest.approx(0.2)
    assert late.correlation > 0.9 > late.unshifted


def test_envelope_correlation_interpolates_short_gaps_only():
    opening = np.repeat(np.random.default_rng(0).uniform(0, 1, 34), 3)[:100]
    assert envelope_correlation(opening, opening, 25.0) > 0.9
    gap = opening.copy()
    gap[50:54] = np.nan
    assert envelope_correlation(gap, opening, 25.0) > 0.8
    gap[50:60] = np.nan
    assert envelope_correlation(gap, opening, 25.0) is None
    assert envelope_correlation(opening, np.zeros(100), 25.0) is None
    assert envelope_correlation(opening, opening[:20], 25.0) is None


def test_mouth_at_half_the_opening_and_three_frames_late():
    curve = np.random.default_rng(1).uniform(0.0, 0.1, 103)
    metrics = mouth_metrics(curve[:100] / 2, curve[3:])
    assert metrics["opening_lag"] == 3
    assert metrics["opening_spread_ratio"] == pytest.approx(0.5, abs=0.03)
    assert best_lag(curve[3:], curve[:100]) == -3


def test_unrelated_mouths_have_no_lag():
    curves = [np.random.default_rng(seed).uniform(0, 1, 400) for seed in range(2)]
    assert best_lag(np.full(400, 0.02), curves[0]) is None
    assert best_lag(*curves) is None


def test_mouth_metrics_need_twelve_frames():
    curve = np.random.default_rng(0).uniform(0, 0.1, 100)
    for frames in (1, 2, 5, 11):
        assert set(mouth_metrics(curve[:frames], curve).values()) == {None}
    assert mouth_metrics(curve[:12], curve)["opening_correlation"] == pytest.approx(1)


def test_smoothing_is_the_mean_of_three_frames():
    assert smooth(np.array([0.0, 3.0, 0.0, 0.0])).tolist() == [1.0, 1.0, 1.0, 0.0]


def test_shuffled_sound_has_the_same_samples_in_another_order():
    sound = np.arange(1200.0)
    shuffled = shuffle_sound(sound)
    assert sorted(shuffled) == sound.tolist()
    assert np.mean(shuffled == sound) < 0.5
