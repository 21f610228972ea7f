"""The distances are their formulas; the metric caches, and says what it measured."""

import importlib.util

import numpy as np
import pytest
import scipy.linalg

from bms_keras.errors import warn_once
from bms_keras.metrics.fid import (
    Moments,
    frechet_distance,
    kid,
    tfgan_frechet_distance,
    warn_of_few,
)

pytestmark = pytest.mark.neutral

RNG = np.random.default_rng(0)
D = 6
X, Y = RNG.normal(size=(50, D)) @ RNG.normal(size=(D, D)), 1 + RNG.normal(size=(40, D))


def moments(x):
    return Moments().add(x)


def naive_frechet(x, y):
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    mean = np.sum((x.mean(0) - y.mean(0)) ** 2)
    return mean + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)


def test_moments_of_parts():
    x = X + 1e6  # sums of squares would lose the covariance's digits
    parts = Moments().add(x[:1]).add(x[1:20]).add(x[:0]).merge(moments(x[20:]))
    assert parts.n == 50
    np.testing.assert_allclose(parts.mean, x.mean(0), rtol=1e-14)
    np.testing.assert_allclose(parts.cov, np.cov(x, rowvar=False), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(Moments().merge(moments(X)).cov, moments(X).cov, rtol=1e-14)


def test_moments_do_not_lose_float32():
    x = X.astype("float32")
    assert moments(x).cov.dtype == np.float64
    expected = np.cov(x.astype("float64"), rowvar=False)
    np.testing.assert_allclose(moments(x).cov, expected, rtol=1e-12)


def test_moments_of_one_feature_have_no_covariance():
    with pytest.raises(ValueError, match="at least two features"):
        _ = moments(X[:1]).cov


def test_frechet_distance_against_scipy():
    assert frechet_distance(moments(X), moments(Y)) == pytest.approx(naive_frechet(X, Y), rel=1e-9)
    assert frechet_distance(moments(Y), moments(X)) == pytest.approx(naive_frechet(X, Y), rel=1e-9)


def test_frechet_distance_of_what_is_known():
    assert frechet_distance(moments(X), moments(X)) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(moments(X), moments(X + 2)) == pytest.approx(4 * D)
    spread = sum((3 - 1) ** 2 * np.diag(moments(X).cov))  # of X and 3 X: (3 - 1)^2 Tr C
    centred = X - X.mean(0)
    assert frechet_distance(moments(centred), moments(3 * centred)) == pytest.approx(spread)


def test_frechet_distance_of_fewer_images_than_features():
    """Against the nuclear norm of the product of the centred features, which no root blurs."""
    x, y = RNG.normal(size=(20, 200)), 0.5 + RNG.normal(size=(30, 200))
    a, b = (x - x.mean(0)) / np.sqrt(19), (y - y.mean(0)) / np.sqrt(29)
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + (a**2).sum() + (b**2).sum() - 2 * root
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(moments(x), moments(x)) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_of_a_generator_that_collapsed():
    one = np.ones((9, D))
    expected = np.sum((X.mean(0) - 1) ** 2) + np.trace(np.cov(X, rowvar=False))
    assert frechet_distance(moments(X), moments(one)) == pytest.approx(expected)
    assert frechet_distance(moments(one), moments(X)) == pytest.approx(expected)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_gan") is None, reason="TF-GAN is not installed"
)
def test_tf_gan_says_the_same():
    x, y = RNG.normal(size=(300, 64)), 0.1 + RNG.normal(size=(200, 64)) ** 3
    for a, b in ((X, Y), (x, y), (x.astype("float32"), y.astype("float32"))):
        ours = frechet_distance(moments(a), moments(b))
        assert tfgan_frechet_distance(a, b) == pytest.approx(ours, rel=1e-5)


def naive_mmd(x, y):
    def mean(a, b, same):
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if not (same and i == j)]
        return np.mean([(a[i] @ b[j] / D + 1) ** 3 for i, j in pairs])

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


def test_kid_against_loops():
    """A subset of all there is, in another order."""
    mean, std = kid(X[:40], Y, subsets=3)
    assert mean == pytest.approx(naive_mmd(X[:40], Y), rel=1e-9)
    assert std == pytest.approx(0, abs=1e-9)
    single, _ = kid(X[:40].astype("float32"), Y.astype("float32"), subsets=1)
    assert single == pytest.approx(mean, rel=1e-5)


def test_kid_is_unbiased_and_seeded():
    x, y = RNG.normal(size=(2, 2000, D))
    mean, std = kid(x, y, subsets=50, subset_size=100)
    assert abs(mean) < 4 * std / np.sqrt(20)  # 20 disjoint subsets are what 2,000 hold
    assert std > 0
    assert kid(x, y, subsets=3, subset_size=9) == kid(x, y, subsets=3, subset_size=9)
    assert kid(x, y, subsets=3, subset_size=9) != kid(x, y, subsets=3, subset_size=9, seed=1)
    assert kid(x, y + 1, subsets=3, subset_size=100)[0] > 0.1


def test_kid_needs_two():
    with pytest.raises(ValueError, match="Received: 50 and 1"):
        kid(X, Y[:1])


@pytest.mark.parametrize(("n", "said"), [(D, True), (D + 1, False)])
def test_too_few_images_for_the_covariance_are_said_once(capsys, n, said):
    """At n = d + 1 it may have full rank."""
    assert (np.linalg.matrix_rank(np.cov(X[:n], rowvar=False)) < D) == said
    warn_once.cache_clear()
    for _ in range(2):
        warn_of_few(n, 50, D)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == said
    assert not said or f"FID of {n} images is far too high: of up to {D} the" in lines[0]
