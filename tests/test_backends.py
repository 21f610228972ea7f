"""Both backends compute the same losses and take the same steps; JAX needs no TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from bms_keras.backends import call_for_two, predict, standard_normal, value_and_gradient

BACKEND = keras.backend.backend()
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}[BACKEND]
TESTS = Path(__file__).parent


def play():
    """The losses of a tiny model, and its weights after three steps, from numpy's noise."""
    import conftest

    from bms_keras.data import synthetic

    optimizers = {
        name: keras.optimizers.SGD(0.1) for name in ("generator", "image_critic", "latent_critic")
    }
    model = conftest._tiny_model(samples=5, ema=0.5, optimizers=optimizers)
    model.prior = conftest._noise
    x = synthetic.grid(24, seed=0).batch(0)
    losses = {player.name: float(player.loss(x)[0]) for player in model.players()}
    logs = conftest._train(model, np.tile(x, (3, 1)), steps=3)
    weights = [w.tolist() for w in model.get_weights()]
    return {"losses": losses, "logs": logs, "weights": weights}


def python(code, backend):
    """Runs code in a fresh interpreter; returns what its last line of output holds."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 4), (64, 33)])
def test_noise_of_training_is_keras_own(shape):
    ours, theirs = (keras.random.SeedGenerator(3) for _ in range(2))
    for _ in range(2):  # the second draw is of the next state
        noise = ops.convert_to_numpy(standard_normal(shape, ours))
        assert noise.dtype == "float32"
        right = ops.convert_to_numpy(keras.random.normal(shape, seed=theirs))
        np.testing.assert_array_max_ulp(noise, right, 2)


@pytest.mark.neutral
@pytest.mark.skipif(not importlib.util.find_spec(OTHER), reason=f"{OTHER} is not installed")
@pytest.mark.skipif(BACKEND != "jax", reason="JAX's programs for CPUs")
def test_only_cpus_have_the_programs_that_are_fast_there(monkeypatch):
    import jax

    from bms_keras.backends import jax as backend

    def program(x, kernel, key):
        noise = backend.standard_normal((2, 3), types.SimpleNamespace(next=lambda: key))
        return noise, backend.conv_transpose(x, kernel, (2, 2), "same", None)

    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(s).astype("float32") for s in ((1, 4, 4, 3), (4, 4, 2, 3)))
    given = x, kernel, np.array([1, 2], "uint32")

    def played():
        traced_anew = jax.make_jaxpr(lambda *given: program(*given))
        return program(*given), str(traced_anew(*given))

    here, of_here = played()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    there, of_there = played()
    for ours, usual in zip(here, there, strict=True):
        np.testing.assert_allclose(ours, usual, rtol=1e-5, atol=1e-5)
    for jaxs_own in ("random_bits", "lhs_dilation=(2, 2)"):
        assert jaxs_own in of_there
        assert jaxs_own not in of_here


def test_both_backends_give_the_same_losses_and_steps():
    here = play()
    there = python("import json, test_backends as t; print(json.dumps(t.play()))", OTHER)
    assert len(here["losses"]) == 3
    for kind in ("losses", "logs"):
        assert here[kind].keys() == there[kind].keys()
        for name, value in here[kind].items():
            np.testing.assert_allclose(value, there[kind][name], rtol=1e-4, err_msg=name)
    for weight, other in zip(here["weights"], there["weights"], strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(BACKEND != "jax", reason="shows JAX alone")
def begin():
    """The sum of the magnitudes of each initial weight, of two families of networks."""
    from bms_keras.configs import cifar10, grid_steep
    from bms_keras.runs import experiment

    found = {}
    for module, fields in (
        (grid_steep, {"ema": 0.9}),
        (cifar10, {"networks.width": 2, "data.source": "unused", "ema": 0.0}),
    ):
        config = module.get_config()
        config.update_from_flattened_dict(fields)
        shape = (32, 32, 3) if module is cifar10 else (2,)
        model = experiment._game(experiment.complete(config), shape)
        kept = [w for w in model.weights if "seed" not in w.path]
        found[module.__name__] = [float(keras.ops.sum(keras.ops.abs(w))) for w in kept]
    return found


def test_both_backends_begin_with_the_same_weights():
    code = "import json, test_backends; print(json.dumps(test_backends.begin()))"
    ours, theirs = begin(), python(code, OTHER)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)


def test_jax_needs_no_tensorflow():
    """Training, watching, saving and sampling, where TensorFlow cannot be imported."""
    code = """
import sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTensorFlow())
import json, pathlib, keras, tempfile, helpers
from bms_keras.runs import training
config = helpers.config(steps=2, batch_size=8, checkpoint_every=2, ema=0.5)
with tempfile.TemporaryDirectory() as folder:
    model = training.train(config, folder).model
    assert (pathlib.Path(folder) / "tensorboard" / "projector_config.pbtxt").exists()
    model.save(folder + "/m.keras")
    model = keras.models.load_model(folder + "/m.keras")
print(json.dumps(model.sample(3, seed=0).shape))
"""
    assert python(code, "jax") == [3, 2]


def test_standard_normal():
    noise = ops.convert_to_numpy(standard_normal((200, 100), 0))
    assert noise.dtype == "float32"
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=0.03)
    np.testing.assert_allclose((np.abs(noise) < 1).mean(), 0.6827, atol=0.01)


def test_noise_is_a_function_of_its_seed():
    first, second, other = (ops.convert_to_numpy(standard_normal((8, 4), s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.any(first == other)


def test_a_seed_generator_gives_fresh_noise_that_can_be_replayed():
    def draws():
        seed = keras.random.SeedGenerator(3)
        return [ops.convert_to_numpy(standard_normal((8, 4), seed)) for _ in range(2)]

    first, second = draws()
    assert not np.any(first == second)
    np.testing.assert_array_equal(draws(), [first, second])


class Watched(keras.layers.Dense):
    """A layer that remembers how many rows it was called on; `None` are any."""

    def call(self, x):
        self.rows = [*getattr(self, "rows", ()), x.shape[0]]
        return super().call(x)


def test_predict():
    """Of batches of any size and type, with the weights of the moment."""
    network = keras.Sequential([keras.Input((3,)), Watched(2)])
    for n, batch_size in ((7, 3), (2, 500), (5, 5), (4, 2), (9, 6)):
        x = np.random.default_rng(n).integers(0, 9, (n, 3))
        kernel, bias = np.full((3, 2), n, "float32"), np.ones(2)
        network.set_weights([kernel, bias])
        np.testing.assert_allclose(predict(network, x, batch_size), x @ kernel + bias)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow warns of what is compiled often")
def test_predict_is_compiled_once_whatever_the_batch():
    network = keras.Sequential([keras.Input((3,)), Watched(2)])
    (layer,) = network.layers
    layer.rows = []
    for n in (7, 2, 5, 4, 9):
        predict(network, np.zeros((n, 3)), 6)
    assert layer.rows == [None]


def squared_distance(y, x):
    return ops.sum(ops.square(y - x), -1)


def test_value_and_gradient():
    """Of an affine map in closed form, each row by itself, with the weights of the moment."""
    rng = np.random.default_rng(0)
    layers = [keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization(epsilon=0)]
    network = keras.Sequential(layers)
    function = value_and_gradient(network, squared_distance)
    for _ in range(2):
        kernel, bias = rng.standard_normal((3, 2)), rng.standard_normal(2)
        gamma, beta, mean, variance = 1 + rng.random((4, 2))
        weights = [kernel, bias, gamma, beta, mean, variance]
        network.set_weights(weights)
        z = rng.standard_normal((5, 3)).astype("float32")
        x = rng.standard_normal((5, 2)).astype("float32")
        value, gradient = map(ops.convert_to_numpy, function(z, x))
        scale = gamma / np.sqrt(variance)
        difference = (z @ kernel + bias - mean) * scale + beta - x
        np.testing.assert_allclose(value, np.sum(difference**2, -1), rtol=1e-4)
        np.testing.assert_allclose(gradient, 2 * (difference * scale) @ kernel.T, rtol=1e-4)
        for weight, before in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(weight, before.astype("float32"))


def test_one_pass_for_two_readers(value_and_gradients):
    """The values and gradients of two passes, of which the second stops at their input."""
    rng = np.random.default_rng(0)
    x, a, b = (rng.standard_normal(shape).astype("float32") for shape in ((6, 3), (6, 2), (6, 2)))
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    hidden = keras.layers.Dense(5, use_bias=False)  # what follows takes a bias away again
    layers = [hidden, keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    outer = keras.Sequential([keras.Input((4,)), *layers])
    variables = inner.trainable_variables + outer.trainable_variables
    start = [rng.standard_normal(v.shape).astype("float32") for v in variables]

    def one_pass(z):
        return call_for_two(outer, z)

    def two_passes(z):
        return outer(z, training=True), outer(ops.stop_gradient(z), training=True)

    results = []
    for passes in (one_pass, two_passes):

        def loss(passes=passes):
            first, second = passes(inner(x))
            return ops.sum(a * ops.square(first)) + ops.sum(b * ops.sin(second))

        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        results.append(value_and_gradients(loss, variables))
    (value, gradients), (expected, right) = results
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for gradient, each in zip(gradients, right, strict=True):
        np.testing.assert_allclose(gradient, each, rtol=1e-5, atol=1e-6 * np.abs(each).max())


def test_one_pass_for_two_readers_updates_the_moving_statistics_once():
    network = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(momentum=0.9)])
    x = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")
    call_for_two(network, ops.convert_to_tensor(x))
    (layer,) = network.layers
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-5)
