"""The latent match tells equal from unequal, and its densities are densities."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bms_keras.metrics.latent import latent_match, log_aggregate_posterior, missed_by_posterior

RNG = np.random.default_rng(0)


def test_equal_distributions():
    result = latent_match(RNG.standard_normal((4000, 4)), RNG.standard_normal((4000, 4)))
    assert result["latent_auc"] == pytest.approx(0.5, abs=0.04)
    assert result["latent_accuracy"] == pytest.approx(0.5, abs=0.04)
    assert abs(result["latent_mmd"]) < 0.01


def test_unequal_distributions_with_equal_moments():
    """A shell instead of a ball: a linear classifier would see nothing."""
    shell = RNG.standard_normal((4000, 4))
    shell *= 2 / np.linalg.norm(shell, axis=1, keepdims=True)
    result = latent_match(shell, RNG.standard_normal((4000, 4)))
    assert result["latent_auc"] > 0.8
    assert result["latent_accuracy"] > 0.75
    assert result["latent_mmd"] > 0.01


def test_shifted_distribution():
    result = latent_match(2 + RNG.standard_normal((1000, 4)), RNG.standard_normal((1000, 4)))
    assert result["latent_auc"] > 0.99


def test_aggregate_posterior_against_a_naive_mixture():
    z, mean = RNG.standard_normal((5, 3)), RNG.standard_normal((4, 3))
    log_variance = RNG.standard_normal((4, 3))
    components = [
        multivariate_normal(m, np.diag(np.exp(v))).pdf(z)
        for m, v in zip(mean, log_variance, strict=True)
    ]
    expected = np.log(np.mean(components, axis=0))
    np.testing.assert_allclose(log_aggregate_posterior(z, mean, log_variance), expected, rtol=1e-9)


def test_a_posterior_equal_to_the_prior_misses_the_stated_share():
    z, zeros = RNG.standard_normal((20_000, 8)), np.zeros((3, 8))
    assert missed_by_posterior(z, zeros, zeros).mean() == pytest.approx(0.01, abs=0.003)


def test_a_narrow_posterior_misses_the_outside():
    z, zeros = RNG.standard_normal((2000, 8)), np.zeros((3, 8))
    missed = missed_by_posterior(z, zeros, zeros - 4)
    assert missed.mean() > 0.95
    assert not missed[np.linalg.norm(z, axis=1) < 0.5].any()
