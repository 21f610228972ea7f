"""IvOM finds the closest image where that is known, and says whether it has converged."""

import types

import keras
import numpy as np
import pytest
from conftest import LATENT
from keras import ops

from bms_keras import networks
from bms_keras.data.images import quantized, scaled
from bms_keras.errors import BadInput
from bms_keras.metrics.ivom import inference_by_optimization, ivom

SHAPE = (8, 8, 1)


def model(generator):
    """What IvOM sees of a `Game`."""
    served = {"generator": generator}
    latent_dim = generator.input_shape[-1]
    return types.SimpleNamespace(inference_network=served.__getitem__, latent_dim=latent_dim)


def data(images):
    return types.SimpleNamespace(images=lambda n: images[:n])


def latents(n, seed=1):
    return np.random.default_rng(seed).standard_normal((n, LATENT)).astype("float32")


@pytest.fixture(scope="module")
def dcgan():
    """A convolutional generator of 8 x 8 images, far from linear, drawn by numpy."""
    config = types.SimpleNamespace(family="dcgan", latent_dim=LATENT, width=8, latent_critic=(8,))
    generator = networks.build(config, SHAPE, ("generator",), False)["generator"]
    rng = np.random.default_rng(0)
    weights = [
        0.3 * rng.standard_normal(w.shape) if w.ndim > 1 else w for w in generator.get_weights()
    ]
    generator.set_weights(weights)
    return generator


@pytest.fixture(scope="module")
def affine():
    """A generator whose closest image least squares know."""
    layers = [keras.Input((LATENT,)), keras.layers.Dense(64), keras.layers.Reshape(SHAPE)]
    generator = keras.Sequential(layers)
    rng = np.random.default_rng(0)
    generator.set_weights([0.1 * rng.standard_normal(w.shape) for w in generator.get_weights()])
    return generator


def images(n, seed=2):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *SHAPE)).astype("float32")


def test_a_generator_finds_its_own_images(dcgan):
    own = dcgan.predict(latents(6), verbose=0)
    assert own.std() > 0.1
    before = dcgan.get_weights()
    found = inference_by_optimization(model(dcgan), own, starts=5, steps=300)
    assert found.errors.max() < 1e-4
    np.testing.assert_allclose(found.closest, own, atol=0.1)
    np.testing.assert_allclose(dcgan.predict(found.latents, verbose=0), found.closest, atol=1e-5)
    assert all(map(np.array_equal, before, dcgan.get_weights()))


def test_the_errors_are_those_of_least_squares(affine):
    x = images(5)
    kernel, bias = affine.get_weights()
    target = (x.reshape(5, -1) - bias).T
    expected = np.linalg.lstsq(kernel.T, target)[0]
    errors = np.mean((kernel.T @ expected - target) ** 2, 0)
    found = inference_by_optimization(model(affine), x, starts=2, steps=300)
    np.testing.assert_allclose(found.errors, errors, rtol=1e-4)
    np.testing.assert_allclose(found.latents, expected.T, atol=1e-2)
    np.testing.assert_allclose(np.mean((found.closest - x) ** 2, (1, 2, 3)), errors, rtol=1e-4)


def test_several_starts_find_what_one_may_miss():
    """A quartic in z has two valleys, and the target lies in the deeper one, at z = -1.47."""
    z = keras.Input((1,))
    y = ops.reshape(z**4 - 4 * z**2 + z, (-1, 1, 1, 1))
    quartic = model(keras.Model(z, y))
    x = np.full((20, 1, 1, 1), -5.4, "float32")
    one, many = (
        inference_by_optimization(quartic, x, starts=starts, steps=100) for starts in (1, 10)
    )
    assert 0 < (one.errors < 1e-4).sum() < 20
    assert (many.errors < 1e-4).all()
    assert (many.latents < -1).all()


def test_the_curve_falls_to_a_plateau(dcgan):
    found = inference_by_optimization(model(dcgan), images(6), starts=5, steps=200)
    assert found.curve.shape == (200,)
    assert (np.diff(found.curve) <= 0).all()
    assert found.curve[-1] == pytest.approx(found.errors.mean(), rel=1e-6)
    assert found.curve[20] < 0.99 * found.curve[0]
    assert found.curve[-1] > 0.98 * found.curve[100]


def test_batches_and_repetition_change_nothing(affine):
    x = images(5)
    one = inference_by_optimization(model(affine), x, starts=3, steps=20, seed=4)
    for batch_size in (2, 25):
        other = inference_by_optimization(
            model(affine), x, starts=3, steps=20, seed=4, batch_size=batch_size
        )
        for name in one._fields:
            np.testing.assert_allclose(
                getattr(other, name), getattr(one, name), rtol=1e-3, atol=2e-4
            )


def test_the_metric_measures_the_first_held_out_images(dcgan):
    held_out = quantized(images(7))
    result = ivom(model(dcgan), data(held_out), images=5, starts=2, steps=40, seed=3)
    found = inference_by_optimization(model(dcgan), scaled(held_out[:5]), 2, 40, seed=3)
    assert result == {
        "ivom_test": pytest.approx(found.errors.mean(), rel=1e-6),
        "ivom_test_error": pytest.approx(found.errors.std() / 2, rel=1e-6),
        "ivom_unit_test": pytest.approx(found.errors.mean() / 4, rel=1e-6),
        "ivom_unit_test_error": pytest.approx(found.errors.std() / 8, rel=1e-6),
        "ivom_test_late_fall": pytest.approx(1 - found.curve[-1] / found.curve[19], abs=1e-6),
        "ivom_images": 5,
        "ivom_starts": 2,
        "ivom_steps": 40,
    }
    assert 0 <= result["ivom_test_late_fall"] < 1


def test_in_0_to_1_as_the_code_of_gdpp_computes_it(dcgan):
    """Images and closest samples mapped to [0, 1], then the mean squares of each image."""
    held_out = quantized(images(4))
    found = inference_by_optimization(model(dcgan), scaled(held_out), 2, 40, seed=3)
    a, b = (found.closest + 1) / 2, held_out / 255
    result = ivom(model(dcgan), data(held_out), images=4, starts=2, steps=40, seed=3)
    errors = np.mean((a - b).reshape(4, -1) ** 2, 1)
    assert result["ivom_unit_test"] == pytest.approx(errors.mean(), rel=1e-4)
    assert result["ivom_unit_test_error"] == pytest.approx(errors.std(ddof=1) / 2, rel=1e-4)


def test_too_few_images_are_refused(dcgan):
    with pytest.raises(BadInput, match=r"at least two held-out images. Received: 1"):
        ivom(model(dcgan), data(quantized(images(1))))


def test_a_generator_that_has_diverged_is_refused(affine):
    diverged = keras.models.clone_model(affine)
    diverged.set_weights([np.full_like(w, np.nan) for w in affine.get_weights()])
    with pytest.raises(BadInput, match="not finite"):
        inference_by_optimization(model(diverged), images(2), steps=2)


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (2, 8, 8), (0, 8, 8, 1)])
def test_images_of_another_shape_are_refused(affine, shape):
    with pytest.raises(ValueError, match=r"must be of the generator's shape.*Received"):
        inference_by_optimization(model(affine), np.zeros(shape))


@pytest.mark.parametrize("name", ["starts", "steps", "batch_size"])
def test_numbers_below_one_are_refused(affine, name):
    with pytest.raises(ValueError, match=f"at least 1. Received: .*{name}=0"):
        inference_by_optimization(model(affine), images(2), **{name: 0})
