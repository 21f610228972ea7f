"""Spectral normalisation is exact, differentiable and leaves the kernel alone."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from bms_keras import Gain, SpectralNormalization

KINDS = {
    "dense": (lambda **kw: layers.Dense(7, **kw), (5,)),
    "conv": (lambda **kw: layers.Conv2D(6, 3, strides=2, padding="same", **kw), (8, 8, 3)),
    "dilated": (lambda **kw: layers.Conv2D(6, 3, dilation_rate=2, **kw), (8, 8, 3)),
    "transpose": (
        lambda **kw: layers.Conv2DTranspose(6, 4, strides=2, padding="same", **kw),
        (4, 4, 3),
    ),
}


def build(kind, iterations=100, **kwargs):
    """A wrapped layer with weights from numpy, and an input for it."""
    maker, shape = KINDS[kind]
    rng = np.random.default_rng(0)
    layer = SpectralNormalization(maker(activation="leaky_relu", **kwargs))
    layer.build((None, *shape))
    for variable in layer.weights:
        variable.assign(rng.standard_normal(variable.shape))
    for _ in range(iterations):
        layer.power_iteration()
    return layer, rng.standard_normal((4, *shape)).astype("float32")


def as_matrix(layer, kernel):
    """(kh * kw * in, out), element by element."""
    kernel = ops.convert_to_numpy(ops.cast(kernel, "float32"))
    if isinstance(layer.layer, layers.Conv2DTranspose):
        height, width, outputs, inputs = kernel.shape
        indices = [(h, w, i) for h in range(height) for w in range(width) for i in range(inputs)]
        return np.array([[kernel[h, w, o, i] for o in range(outputs)] for h, w, i in indices])
    return kernel.reshape(-1, kernel.shape[-1])


def largest_singular_value(layer, kernel):
    return np.linalg.svd(as_matrix(layer, kernel), compute_uv=False)[0]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_largest_singular_value_is_one(kind):
    layer, _ = build(kind)
    expected = largest_singular_value(layer, layer.layer.kernel)
    assert expected > 2  # so that there is something to normalise
    np.testing.assert_allclose(layer.sigma(), expected, rtol=1e-3)
    np.testing.assert_allclose(layer.measured_sigma(), layer.sigma(), rtol=1e-5)
    used = layer.normalized_kernel()
    assert used.shape == layer.layer.kernel.shape
    np.testing.assert_allclose(largest_singular_value(layer, used), 1, atol=1e-2)


def test_power_iteration_is_miyatos(kind):
    layer, _ = build(kind, iterations=0)
    w, u = as_matrix(layer, layer.layer.kernel), ops.convert_to_numpy(layer.u)[0]
    for _ in range(2):
        v = w @ u / np.linalg.norm(w @ u)
        u = w.T @ v / np.linalg.norm(w.T @ v)
        layer.power_iteration()
        np.testing.assert_allclose(layer.u[0], u, rtol=1e-4, atol=1e-5)


def test_it_settles_by_as_many_power_iterations(kind):
    layer, _ = build(kind, iterations=3)
    settled, _ = build(kind, iterations=0)
    settled.settle(3)
    np.testing.assert_allclose(settled.u, layer.u, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("iterations", [1, 100])
def test_gradient_has_no_radial_part(kind, iterations, value_and_gradients):
    layer, x = build(kind, iterations)
    kernel = layer.layer.kernel
    weights = np.random.default_rng(1).standard_normal(layer(x).shape)
    loss, (gradient,) = value_and_gradients(lambda: ops.sum(layer(x) * weights), [kernel])
    assert loss != 0
    w = ops.convert_to_numpy(kernel).astype("float64")
    radial = np.sum(gradient * w) / np.linalg.norm(w)
    assert abs(radial) < 1e-5 * np.linalg.norm(gradient)


def test_gradient_holds_the_singular_vectors_constant(kind, value_and_gradients):
    """d sigma / d W is v u^T even where u has not converged (Miyato et al., eq. 10 to 12)."""
    layer, _ = build(kind, iterations=1)
    kernel = layer.layer.kernel
    c = np.random.default_rng(1).standard_normal(kernel.shape)
    _, (gradient,) = value_and_gradients(lambda: ops.sum(layer.normalized_kernel() * c), [kernel])
    w, u, c = as_matrix(layer, kernel), layer.u.numpy()[0], as_matrix(layer, c)
    v = w @ u / np.linalg.norm(w @ u)
    sigma = v @ w @ u
    expected = c / sigma - np.sum(c * w) / sigma**2 * np.outer(v, u)
    np.testing.assert_allclose(as_matrix(layer, gradient), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("use_bias", [True, False])
def test_output_is_that_of_the_plain_layer_with_the_normalised_kernel(kind, use_bias):
    layer, x = build(kind, use_bias=use_bias)
    plain = KINDS[kind][0](activation="leaky_relu", use_bias=use_bias)
    plain.build(x.shape)
    kernel, *bias = layer.layer.get_weights()
    plain.set_weights([kernel / largest_singular_value(layer, kernel), *bias])
    expected = ops.convert_to_numpy(plain(x))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-3, atol=1e-4)
    assert tuple(layer.compute_output_shape(x.shape)) == expected.shape


@pytest.mark.parametrize("training", [True, False])
def test_forward_pass_changes_nothing(kind, training, same):
    layer, x = build(kind, iterations=1)
    before = layer.get_weights()
    keras.Sequential([layer])(x, training=training)
    assert same(layer.get_weights(), before)


def test_mixed_precision_keeps_a_float32_kernel(kind, same):
    layer, x = build(kind, dtype="mixed_bfloat16")
    network = keras.Sequential([keras.Input(x.shape[1:]), layer])
    before = layer.get_weights()
    assert {w.dtype for w in layer.weights} == {"float32"}
    sigma = layer.sigma()
    assert keras.backend.standardize_dtype(sigma.dtype) == "float32"
    np.testing.assert_allclose(sigma, largest_singular_value(layer, layer.layer.kernel), rtol=1e-3)
    output = network(x, training=True)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    assert same(layer.get_weights(), before)
    kernel = ops.convert_to_numpy(layer.layer.kernel)
    updated = kernel * np.float32(1 + 1e-5)
    layer.layer.kernel.assign(updated)
    network(x, training=True)
    assert np.mean(updated != kernel) > 0.99
    assert same([layer.layer.kernel], [updated])


def test_mixed_precision_output_is_close_to_float32s(kind):
    (layer, x), (exact, _) = build(kind, dtype="mixed_bfloat16"), build(kind)
    output, expected = ops.cast(layer(x), "float32"), ops.convert_to_numpy(exact(x))
    np.testing.assert_allclose(output, expected, atol=0.03 * np.abs(expected).max())


@pytest.mark.parametrize(
    "layer",
    [
        layers.Embedding(3, 4),
        layers.DepthwiseConv2D(3),
        layers.BatchNormalization(),
        layers.EinsumDense("ab,bc->ac", 4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_layers_are_refused_by_name(layer):
    with pytest.raises(ValueError, match=rf"Dense, Conv2D.*Received: {type(layer).__name__}$"):
        SpectralNormalization(layer)


def test_config_round_trip(kind):
    layer = SpectralNormalization(KINDS[kind][0](dtype="mixed_bfloat16"), seed=5, name="sn")
    again = SpectralNormalization.from_config(layer.get_config())
    assert type(again.layer) is type(layer.layer)
    assert again.get_config() == layer.get_config()
    for each in (layer, again):
        each.build((None, *KINDS[kind][1]))
    np.testing.assert_array_equal(again.u, layer.u)  # the seed came along


def test_save_and_load(kind, tmp_path, same):
    layer, x = build(kind, iterations=1)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert len(loaded.get_weights()) == 3  # kernel, bias and u
    assert same(loaded.get_weights(), model.get_weights())
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_gain_is_one_at_first_and_stays_within_its_limits():
    layer, x = Gain(limit=10), np.array([[1.0, -2.0, 3.0]], "float32")
    np.testing.assert_array_equal(layer(x), x)
    layer.k.assign([0.0, np.log(2.0), 0.5])
    np.testing.assert_allclose(layer(x), [[1.0, -4.0, 3 * np.exp(0.5)]], rtol=1e-6)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([layer.k])
    optimizer.apply([ops.convert_to_tensor([-9.0, 0.1, 9.0])], [layer.k])
    np.testing.assert_allclose(layer.k, [np.log(10.0), np.log(2.0) - 0.1, 0.0], rtol=1e-6)


def test_a_gain_keeps_its_limit_when_saved(tmp_path):
    model = keras.Sequential([keras.Input((3,)), Gain(limit=7.0)])
    model.save(tmp_path / "m.keras")
    (layer,) = keras.models.load_model(tmp_path / "m.keras").layers
    assert layer.limit == 7.0


def test_a_limit_of_one_leaves_no_gain():
    with pytest.raises(ValueError, match=r"limit must be above 1\. Received: limit=1"):
        Gain(limit=1)
