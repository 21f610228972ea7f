"""Each term against numpy."""

import keras
import numpy as np
import pytest
import scipy.stats

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
    log_variance = log_variance.clip(-12, 3)
    z = objectives.gaussian(np.concatenate([mean, log_variance], -1), noise)
    np.testing.assert_allclose(z, mean + np.sqrt(np.exp(log_variance)) * noise, **EXACT)


def test_log_variance_is_kept_in_range():
    parameters = np.float32([[-100, 100, -100, 100], [1, 2, -12.5, 3.5], [1, 2, -11.5, 2.5]])
    mean, log_variance = objectives.mean_and_log_variance(parameters)
    np.testing.assert_array_equal(mean, [[-100, 100], [1, 2], [1, 2]])
    np.testing.assert_array_equal(log_variance, [[-12, 3], [-12, 3], [-11.5, 2.5]])


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


def test_gaussian_log_density(rng):
    z, mean, log_variance = normal(rng, 7, 4), normal(rng, 4), normal(rng, 4)
    expected = scipy.stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(-1)
    density = objectives.gaussian_log_density(z, mean, log_variance)
    np.testing.assert_allclose(density, expected, **EXACT)


def naive_gdpp(real, fake, magnitude_weight):
    def spectrum(features):
        units = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.linalg.eigh(units @ units.T)

    (values, vectors), (fake_values, fake_vectors) = spectrum(real), spectrum(fake)
    weights = (values - values.min()) / (values.max() - values.min())
    magnitude = magnitude_weight * np.mean((values - fake_values) ** 2)
    return magnitude - np.sum(weights * np.abs(np.sum(vectors * fake_vectors, 0)))


def test_gdpp_and_its_gradient(rng, value_and_gradients):
    real, fake = normal(rng, 4, 6), normal(rng, 4, 6)
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
