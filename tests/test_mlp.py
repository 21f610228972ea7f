"""The dense networks have the sizes that were asked for, and the critic the Lipschitz constant."""

import types

import keras
import numpy as np
import pytest
from conftest import CONFIG, HYBRID, LATENT

import bms_keras
from bms_keras import networks
from bms_keras.networks import mlp


def kernels(network):
    return [w.shape for w in network.trainable_weights if len(w.shape) == 2]


def test_shapes():
    built = mlp.build(CONFIG, (3,), HYBRID, normalization="spectral")
    assert {name: (n.input_shape, n.output_shape) for name, n in built.items()} == {
        "recognition": ((None, 3), (None, 2 * LATENT)),
        "generator": ((None, LATENT), (None, 3)),
        "image_critic": ((None, 3), (None, 1)),
        "latent_critic": ((None, LATENT), (None, 1)),
    }
    assert kernels(built["generator"]) == [(LATENT, 8), (8, 8), (8, 3)]
    assert kernels(built["image_critic"]) == [(3, 8), (8, 1)]


def test_only_the_networks_that_were_asked_for():
    assert list(mlp.build(CONFIG, (2,), ("generator",), normalization="batch")) == ["generator"]


@pytest.mark.parametrize("normalization", ["spectral", "batch"])
def test_only_the_image_critic_is_normalised(normalization):
    def normalized(network):
        return [isinstance(layer, bms_keras.SpectralNormalization) for layer in network.layers]

    built = mlp.build(CONFIG, (2,), HYBRID, normalization)
    assert sum(normalized(built["image_critic"])) == (2 if normalization == "spectral" else 0)
    for name in ("recognition", "generator", "latent_critic"):
        assert not any(normalized(built[name]))


def test_batch_norm_where_it_is_asked_for():
    """By its method and by its config: in all hidden layers but the first, by the batch's own."""
    fields = vars(CONFIG) | {"image_critic": (8, 6), "batch_norm": True}
    config = types.SimpleNamespace(**fields)
    spectral, none, batch = (
        mlp.build(config, (2,), ("image_critic",), normalization)["image_critic"]
        for normalization in ("spectral", "none", "batch")
    )
    has = lambda network: [  # noqa: E731
        isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers
    ]
    assert not any(has(spectral) + has(none))
    assert sum(has(batch)) == 1
    rng = np.random.default_rng(0)
    shapes = [(2, 8), (8,), (8, 6), (6,), (6,), (6, 1), (1,)]
    values = [rng.standard_normal(shape) for shape in shapes]
    for variable, value in zip(batch.trainable_weights, values, strict=True):
        variable.assign(value)
    w1, b1, w2, gamma, beta, w3, b3 = values
    leaky = lambda x: np.maximum(x, 0.2 * x)  # noqa: E731
    x = rng.standard_normal((5, 2)).astype("float32")
    hidden = leaky(x @ w1 + b1) @ w2
    hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-3) * gamma + beta
    y = keras.ops.convert_to_numpy(batch(x, training=True))
    np.testing.assert_allclose(y, leaky(hidden) @ w3 + b3, rtol=1e-3, atol=1e-4)


def test_critic_is_as_steep_as_it_may_be_and_no_steeper(converge):
    critic = converge(mlp.lipschitz_critic(2, (8,), lipschitz=10.0, scale=4.0))
    rng = np.random.default_rng(0)
    x, step = rng.standard_normal((2, 5000, 2)).astype("float32")
    step *= 0.01 / np.linalg.norm(step, axis=1, keepdims=True)
    difference = critic.predict(x + step, verbose=0) - critic.predict(x, verbose=0)
    slope = np.abs(difference)[:, 0] / 0.01
    assert slope.max() < 10.01
    assert slope.max() > 0.5  # without K / c and c it would be at most 1


def test_input_scale_moves_the_bends_and_not_the_slopes(converge):
    """D(x) = (K / c) f(c x): with no biases f is homogeneous, and c drops out."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2)).astype("float32")
    critics = [mlp.lipschitz_critic(2, (8,), 10.0, scale) for scale in (1.0, 4.0)]
    for critic in critics:
        rng = np.random.default_rng(1)
        weights = [rng.standard_normal(w.shape) * (w.ndim > 1) for w in critic.get_weights()]
        critic.set_weights(weights)
        converge(critic)
    one, four = (critic.predict(x, verbose=0) for critic in critics)
    np.testing.assert_allclose(one, four, rtol=1e-4, atol=1e-4)


def test_initial_weights_are_uniform_by_fan_in():
    network = mlp.perceptron(100, (400,), 25)
    hidden, hidden_bias, output, output_bias = network.get_weights()
    for weights, bound in [(hidden, 0.1), (hidden_bias, 0.1), (output, 0.05), (output_bias, 0.05)]:
        assert np.abs(weights).max() <= bound
        np.testing.assert_allclose(np.abs(weights).mean(), bound / 2, rtol=0.5)


def test_a_staircase_is_tanh_units_with_gains():
    steep = types.SimpleNamespace(**{**vars(CONFIG), "generator": (5, 7), "max_gain": 100})
    network = mlp.build(steep, (2,), ("generator",), normalization="spectral")["generator"]
    rng = np.random.default_rng(0)
    network.set_weights([rng.standard_normal(w.shape) for w in network.get_weights()])
    z = rng.standard_normal((6, 4)).astype("float32")
    w1, b1, k1, w2, b2, k2, w3, b3 = network.get_weights()
    hidden = np.tanh(np.exp(k2) * (np.tanh(np.exp(k1) * (z @ w1 + b1)) @ w2 + b2))
    np.testing.assert_allclose(
        network.predict(z, verbose=0), hidden @ w3 + b3, rtol=1e-4, atol=1e-5
    )


def activations(network):
    layers = [n.layer if hasattr(n, "layer") else n for n in network.layers]
    return [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")]


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({}, "relu"),
        ({"max_gain": 100.0}, "tanh"),  # as it always was
        ({"activation": "leaky_relu"}, "leaky_relu"),
        ({"activation": "relu", "max_gain": 100.0}, "relu"),
    ],
    ids=str,
)
def test_the_generators_activation(fields, hidden):
    config = types.SimpleNamespace(**vars(CONFIG) | fields)
    built = mlp.build(config, (2,), HYBRID)
    found = [each for each in activations(built["generator"])[:-1] if each != "linear"]
    assert found == [hidden, hidden]
    assert activations(built["recognition"]) == ["relu", "relu", "linear"]


@pytest.mark.parametrize("normalization", ["spectral", "none"])
@pytest.mark.parametrize("activation", mlp.ACTIVATIONS)
def test_the_critics_activation(normalization, activation):
    config = types.SimpleNamespace(**vars(CONFIG) | {"critic_activation": activation})
    built = mlp.build(config, (2,), (*HYBRID, "joint_critic"), normalization)
    assert activations(built["image_critic"]) == [activation, "linear"]
    assert activations(built["joint_critic"].layers[-1]) == [activation, "linear"]
    assert activations(built["latent_critic"]) == ["relu", "relu", "linear"]


def bounded(kernel, bound):
    """Whether a large kernel is uniform in +-bound."""
    return 0.98 * bound < np.abs(kernel).max() <= bound


INITIAL = {  # by name: whether a 60 x 150 kernel of gain 0.5 is what it is to be
    "fan_in": lambda kernel: bounded(kernel, 0.5 / np.sqrt(60)),
    "glorot": lambda kernel: bounded(kernel, 0.5 * np.sqrt(6 / 210)),
    "orthogonal": lambda kernel: np.allclose(np.linalg.svd(kernel)[1], 0.5, rtol=1e-4),
    "normal": lambda kernel: abs(kernel.std() - 0.5) < 0.01 and np.abs(kernel).max() > 1.5,
}


@pytest.mark.parametrize("name", mlp.INITIALIZERS)
def test_initial_weights_by_name(name):
    """Of all networks, each layer its own; biases are 0 but with fan_in."""
    fields = {"initializer": name, "initializer_gain": 0.5, "latent_dim": 60}
    widths = {network: (150, 150) for network in HYBRID}
    config = types.SimpleNamespace(**vars(CONFIG) | fields | widths)
    built = mlp.build(config, (60,), (*HYBRID, "joint_critic"), normalization="none")
    for network in built.values():
        kernel, bias, again, *_ = network.get_weights()
        if network.name != "joint_critic":  # of 120 inputs
            assert INITIAL[name](kernel), network.name
        assert bias.any() == (name == "fan_in")
        assert not np.array_equal(kernel, again[:60])


@pytest.mark.usefixtures("mixed_bfloat16")
def test_outputs_are_float32_under_mixed_precision():
    steep = types.SimpleNamespace(**{**vars(CONFIG), "max_gain": 100})
    built = mlp.build(CONFIG, (2,), HYBRID, normalization="spectral")
    built["steep"] = mlp.build(steep, (2,), ("generator",), normalization="spectral")["generator"]
    for network in built.values():
        y = network(np.ones((3, network.input_shape[-1]), "float32"))
        assert keras.backend.standardize_dtype(y.dtype) == "float32"
        assert {w.dtype for w in network.weights} == {"float32"}


@pytest.mark.parametrize("shape", [(32, 32, 3), ()])
def test_images_are_refused(shape):
    with pytest.raises(bms_keras.BadInput, match="'mlp' needs points of shape"):
        mlp.build(CONFIG, shape, HYBRID, normalization="spectral")


def test_unknown_family_is_refused():
    class Config:
        family = "transformer"

    with pytest.raises(bms_keras.BadInput, match=r"mlp.*Received: 'transformer'"):
        networks.build(Config, (2,), HYBRID, normalization="spectral")
