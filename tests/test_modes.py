"""Modes, high quality, spread, KL and sliced Wasserstein distance."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from bms_keras.data import synthetic
from bms_keras.metrics.modes import mode_statistics, sliced_wasserstein

pytestmark = pytest.mark.neutral

GRID = synthetic.grid(batch_size=1, seed=7)


def statistics(samples):
    return mode_statistics(samples, GRID.means, GRID.std, GRID.unscaled(GRID.points(len(samples))))


def test_perfect_sampler():
    """Of a 2D normal, 1 - exp(-9/2) = 98.89 % lie within three standard deviations."""
    result = statistics(GRID.unscaled(GRID.points(20_000, step=3)))
    assert result["modes"] == 25
    assert result["high_quality_percent"] == pytest.approx(98.89, abs=0.3)
    assert result["spread_ratio"] == pytest.approx(1.0, abs=0.02)
    assert result["mode_kl"] < 0.002
    assert result["sliced_wasserstein"] < 0.08


def test_narrow_modes_raise_quality_and_show_in_the_spread():
    rng = np.random.default_rng(0)
    modes = GRID.means[rng.integers(25, size=5000)]
    result = statistics(modes + 0.5 * GRID.std * rng.standard_normal((5000, 2)))
    assert result["high_quality_percent"] == 100
    assert result["spread_ratio"] == pytest.approx(0.5 / 0.96, abs=0.03)


def test_a_lost_half_of_the_modes():
    points = GRID.unscaled(GRID.points(5000))
    result = statistics(points[points[:, 0] < -1])  # two columns of five
    assert result["modes"] == 10
    assert result["mode_kl"] == pytest.approx(np.log(2.5), abs=0.01)


def test_the_border_of_high_quality():
    inside, outside = (GRID.means[:1] + np.array([x, 0]) for x in (0.1499, 0.1501))
    assert statistics(inside)["high_quality_percent"] == 100
    assert statistics(outside)["high_quality_percent"] == 0
    assert statistics(outside)["modes"] == 0
    assert statistics(outside)["mode_kl"] is None


def test_sliced_wasserstein_in_one_dimension_is_wasserstein():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((300, 1)), 2 + rng.standard_normal((300, 1))
    expected = wasserstein_distance(a[:, 0], b[:, 0])
    assert sliced_wasserstein(a, b) == pytest.approx(expected, rel=1e-9)
    assert sliced_wasserstein(a, a) == 0
