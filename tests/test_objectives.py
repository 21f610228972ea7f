"""Each term against numpy."""

import keras
import numpy as np
import pytest
import scipy.stats
from helpers import naive_gdpp
from keras import ops

from bms_keras import objectives

EXACT = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def normal(rng, *shape):
    return (2 * rng.standard_normal(shape)).astype("float32")


@pytest.mark.parametrize("margins", [(1.0, 1.0), (2.0, 0.0), (0.5, 0.5)])
def test_hinge(rng, margins):
    a, b = margins
    real, fake = normal(rng, 50), normal(rng, 40)
    expected = np.maximum(0, a - real).mean() + np.maximum(0, b + fake).mean()
    np.testing.assert_allclose(objectives.hinge(real, fake, margins), expected, **EXACT)


@pytest.mark.parametrize(("a", "b"), [(2.0, 0.0), (0.5, 0.5)])
def test_hinge_pulls_up_to_its_margins_and_not_beyond(a, b, value_and_gradients):
    def loss_and_gradients(real, fake):
        real, fake = keras.Variable(real), keras.Variable(fake)
        return value_and_gradients(
            lambda: objectives.hinge(real + 0, fake + 0, (a, b)), [real, fake]
        )

    loss, gradients = loss_and_gradients([a + 0.01, a + 3], [-b - 0.01, -b - 3])
    assert loss == 0
    assert not np.any(gradients)
    loss, (real, fake) = loss_and_gradients([a - 0.01, a - 3], [-b + 0.01, -b + 3])
    np.testing.assert_allclose(loss, 3.01, **EXACT)
    np.testing.assert_allclose(real, [-0.5, -0.5], **EXACT)
    np.testing.assert_allclose(fake, [0.5, 0.5], **EXACT)


def test_cross_entropy(rng):
    positive, negative = normal(rng, 50), normal(rng, 40)

    def sigmoid(logit):
        return 1 / (1 + np.exp(-logit.astype("float64")))

    expected = -np.log(sigmoid(positive)).mean() - np.log(1 - sigmoid(negative)).mean()
    np.testing.assert_allclose(objectives.cross_entropy(positive, negative), expected, **EXACT)


def test_cross_entropy_is_finite_where_a_sigmoid_is_not():
    far = np.float32([-1000.0])
    np.testing.assert_allclose(objectives.cross_entropy(far, -far), 2000)


def test_kl_estimate(rng):
    logits = normal(rng, 3, 50)
    np.testing.assert_allclose(objectives.kl_estimate(logits), -logits.mean(), **EXACT)


@pytest.mark.parametrize("shape", [(2,), (4, 4, 3)])
@pytest.mark.parametrize("norm", [1, 2])
def test_distance(rng, norm, shape):
    x, reconstructions = normal(rng, 5, *shape), normal(rng, 3, 5, *shape)
    expected = np.empty((3, 5))
    for t in range(3):
        for i in range(5):
            expected[t, i] = np.mean(np.abs(x[i] - reconstructions[t, i]) ** norm)
    np.testing.assert_allclose(objectives.distance(x, reconstructions, norm), expected, **EXACT)


def test_log_ratio_is_the_critics_output_in_float32(rng):
    output = normal(rng, 3, 5, 1)
    ratio = objectives.log_ratio(keras.ops.cast(output, "bfloat16"))
    assert keras.backend.standardize_dtype(ratio.dtype) == "float32"
    np.testing.assert_allclose(ratio, output[..., 0], rtol=1e-2)


def test_gaussian(rng):
    mean, log_variance, noise = normal(rng, 5, 4), normal(rng, 5, 4), normal(rng, 3, 5, 4)
    z = objectives.gaussian(mean, log_variance, noise)
    np.testing.assert_allclose(z, mean + np.sqrt(np.exp(log_variance)) * noise, **EXACT)


def test_log_variance_is_kept_in_range():
    parameters = np.float32([[-100, 100, -1e9, 1e9], [1, 2, -12, 3], [1, 2, -11, 2]])
    mean, log_variance = objectives.mean_and_log_variance(parameters)
    np.testing.assert_array_equal(mean, [[-100, 100], [1, 2], [1, 2]])
    np.testing.assert_array_equal(log_variance, [[-12, 3], [-11.5, 2.5], [-11, 2]])
    _, constant = objectives.mean_and_log_variance(parameters, (-12.0, -12.0))
    np.testing.assert_array_equal(constant, np.full((3, 2), -12))


def naive_soft_clip(x, low, high):
    """The identity up to 1 from the bounds; from there a hyperbola of slope 1 to the bound."""
    if x > high - 1:
        return high - 1 / (1 + x - (high - 1))
    if x < low + 1:
        return low + 1 / (1 + low + 1 - x)
    return x


def test_soft_clip_and_its_slope(value_and_gradients):
    x = np.float64([-1e4, -300, -40, -13, -12, -11.2, -11, -4.3, 0, 1.9, 2, 2.8, 3, 7, 60, 1e4])
    expected = [naive_soft_clip(each, -12, 3) for each in x]
    variable = keras.Variable(x.astype("float32"))
    found = ops.convert_to_numpy(objectives.soft_clip(variable, -12.0, 3.0))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    _, (slope,) = value_and_gradients(
        lambda: ops.sum(objectives.soft_clip(variable + 0, -12.0, 3.0)), [variable]
    )
    rises = [
        naive_soft_clip(each + 1e-4, -12, 3) - naive_soft_clip(each - 1e-4, -12, 3) for each in x
    ]
    np.testing.assert_allclose(slope, np.divide(rises, 2e-4), rtol=1e-3, atol=1e-7)
    assert (slope > 0).all()


def test_soft_clip_is_monotone_within_its_bounds_and_exact_between_them(rng):
    x = np.sort(np.concatenate([rng.uniform(-30, 30, 5000), [-1e30, -1e6, 1e6, 1e30]]))
    x = x.astype("float32")
    y = ops.convert_to_numpy(objectives.soft_clip(x, -12.0, 3.0))
    assert (np.diff(y) >= 0).all()
    assert y.min() == -12
    assert y.max() == 3
    core = (x >= -11) & (x <= 2)
    assert np.array_equal(y[core], x[core])
    assert (y[~core] != x[~core]).all()


def naive_mmd(q, p, scales):
    def kernel(a, b):
        constants = [2 * scale * len(a) for scale in scales]
        return sum(c / (c + np.sum((a - b) ** 2)) for c in constants)

    def mean_of_others(a):
        n = len(a)
        pairs = [kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j]
        return sum(pairs) / (n * (n - 1))

    across = np.mean([[kernel(a, b) for b in p] for a in q])
    return mean_of_others(q) + mean_of_others(p) - 2 * across


def test_mmd(rng):
    q, p = normal(rng, 12, 4) + 1, normal(rng, 9, 4)
    expected = naive_mmd(q.astype("float64"), p.astype("float64"), (0.1, 0.2, 0.5, 1, 2, 5, 10))
    np.testing.assert_allclose(objectives.mmd(q, p), expected, **EXACT)
    expected = naive_mmd(q.astype("float64"), p.astype("float64"), (3.0,))
    np.testing.assert_allclose(objectives.mmd(q, p, scales=(3.0,)), expected, **EXACT)
    fine = (0.001, 0.01, 0.1, 1, 10)
    expected = naive_mmd(q.astype("float64"), p.astype("float64"), fine)
    np.testing.assert_allclose(objectives.mmd(q, p, fine), expected, rtol=1e-4, atol=1e-5)


def test_gaussian_log_density(rng):
    z, mean, log_variance = normal(rng, 7, 4), normal(rng, 4), normal(rng, 4)
    expected = scipy.stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(-1)
    density = objectives.gaussian_log_density(z, mean, log_variance)
    np.testing.assert_allclose(density, expected, **EXACT)


@pytest.mark.parametrize("shape", [(4, 6), (6, 3)])  # the latter by the smaller matrix
def test_gdpp_and_its_gradient(rng, value_and_gradients, shape):
    real, fake = normal(rng, *shape), normal(rng, *shape)
    variable = keras.Variable(fake)
    value, (gradient,) = value_and_gradients(
        lambda: objectives.gdpp(real, variable + 0, magnitude_weight=0.1), [variable]
    )
    np.testing.assert_allclose(value, naive_gdpp(real, fake, 0.1), rtol=1e-4)
    steps = 1e-5 * np.eye(fake.size).reshape(-1, *fake.shape)
    rises = [naive_gdpp(real, fake + h, 0.1) - naive_gdpp(real, fake - h, 0.1) for h in steps]
    np.testing.assert_allclose(np.ravel(gradient), np.divide(rises, 2e-5), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("features", [np.eye(6), np.ones((6, 3)), np.repeat(np.eye(3), 2, axis=0)])
def test_gdpp_has_a_gradient_where_eigenvalues_are_equal(rng, features, value_and_gradients):
    variable = keras.Variable(features.astype("float32"))
    _, (gradient,) = value_and_gradients(
        lambda: objectives.gdpp(normal(rng, *features.shape), variable + 0), [variable]
    )
    assert np.all(np.isfinite(gradient))
