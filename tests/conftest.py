"""Tiny networks and data. Weights come from numpy, so they are the same on every backend."""

import atexit
import os
import shutil
import signal
import tempfile
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # the workers, and what they start, share one
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp()
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

import helpers
import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import bms_keras
from bms_keras.data import synthetic
from bms_keras.layers import spectrally_normalized
from bms_keras.networks import mlp
from bms_keras.runs import training

if keras.backend.backend() == "jax":  # the networks are tiny: to compile them is what takes time
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
        " --xla_cpu_parallel_codegen_split_count=1"
        " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    )

helpers.draw_few_latents()

HYBRID = ("recognition", "generator", "image_critic", "latent_critic")
LATENT = 4
CONFIG = types.SimpleNamespace(
    latent_dim=LATENT,
    recognition=(8, 8),
    generator=(8, 8),
    image_critic=(8,),
    latent_critic=(8, 8),
    lipschitz=10.0,
    input_scale=2.0,
    max_gain=0.0,
    batch_norm=False,
    activation="",
    critic_activation="leaky_relu",
    initializer="fan_in",
    initializer_gain=1.0,
)


def _tiny_networks(names=HYBRID, normalization="spectral", seed=0):
    """Dense networks by name, every weight drawn by numpy."""
    networks = mlp.build(CONFIG, (2,), names, normalization)
    for i, name in enumerate(networks):
        rng = np.random.default_rng([seed, i])
        weights = networks[name].get_weights()
        networks[name].set_weights([0.5 * rng.standard_normal(w.shape) for w in weights])
    return networks


def _tiny_model(game=bms_keras.BMSVAEGAN, names=HYBRID, normalization="spectral", **kwargs):
    """A compiled model; `optimizers` goes to `compile`, the rest to the constructor.

    It trains without a graph on TensorFlow: see `helpers.EAGERLY`.
    """
    optimizers = kwargs.pop("optimizers", None)
    if "latent_critic" not in names:
        kwargs["prior"] = "mmd"
    networks = _tiny_networks(names, normalization)
    model = game(**networks, **{"samples": 3, "seed": 0, **kwargs})
    model.compile(optimizers, run_eagerly=helpers.EAGERLY)
    return model


def _noise(*shape):
    """Stands in for `model.prior`: noise that depends on the shape asked for, and nothing else."""
    rng = np.random.default_rng(shape)
    return rng.standard_normal((*shape, LATENT)).astype("float32")


def _value_and_gradients(function, variables):
    """The value of a function of no arguments, and its gradients, as numpy arrays."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        gradients = tape.gradient(value, [v.value for v in variables])
    else:
        import jax

        def stateless(values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return function()

        value, gradients = jax.jit(jax.value_and_grad(stateless))([v.value for v in variables])
    return ops.convert_to_numpy(value), [ops.convert_to_numpy(g) for g in gradients]


def _train(model, x, steps=1):
    """Trains for some steps with the points of `x` in their order; returns the last logs."""
    history = model.fit(x, batch_size=len(x) // steps, shuffle=False, verbose=0).history
    return {name: values[-1] for name, values in history.items()}


def _same(a, b):
    """Whether two lists of arrays or variables are equal, bit for bit."""
    pairs = zip(a, b, strict=True)
    return all(np.array_equal(ops.convert_to_numpy(v), ops.convert_to_numpy(w)) for v, w in pairs)


def _converge(network):
    """Makes every sigma of a network exact; returns the network."""
    for layer in spectrally_normalized(network):
        layer.settle(100)
    return network


@pytest.fixture(scope="session")
def command_line():
    """Runs a command line on the backend under test; see `helpers.ForkServer`."""
    with helpers.ForkServer() as run:
        yield run


@pytest.fixture
def x():
    """24 points of the Grid."""
    return synthetic.grid(24, seed=0).batch(0)


@pytest.fixture
def tiny_networks():
    return _tiny_networks


@pytest.fixture
def tiny_model():
    return _tiny_model


@pytest.fixture
def noise():
    return _noise


@pytest.fixture
def value_and_gradients():
    return _value_and_gradients


@pytest.fixture
def train():
    return _train


@pytest.fixture
def same():
    return _same


@pytest.fixture
def converge():
    return _converge


@pytest.fixture
def one_turn():
    """A BMS-VAE-GAN that plays the turn of one player only."""

    class OneTurn(bms_keras.BMSVAEGAN):
        def __init__(self, *args, turn, **kwargs):
            self.turn = turn
            super().__init__(*args, **kwargs)

        def players(self):
            return [player for player in super().players() if player.name == self.turn]

    return OneTurn


@pytest.fixture
def mixed_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def no_pictures():
    """Runs draw nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.drawings, "at_the_end", lambda model, data: {})
        patch.setattr(training.drawings, "while_training", lambda model, data: {})
        yield


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The workdir of `helpers.short`'s run, which nothing disturbed."""
    workdir = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Run, "draw", lambda run, drawing: None)
        training.train(helpers.short(), workdir)
    return workdir


@pytest.fixture
def signal_at(monkeypatch):
    """Sends this process a signal when so many steps of training are done, once."""

    def signal_at(step, number=signal.SIGTERM):
        guarded = training.Guard.on_train_batch_end
        sent = []

        def on_train_batch_end(guard, batch, logs=None):
            if batch + 1 == step and not sent:
                sent.append(os.kill(os.getpid(), number))
            guarded(guard, batch, logs)

        monkeypatch.setattr(training.Guard, "on_train_batch_end", on_train_batch_end)

    return signal_at


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Eight grey images of values 10 to 80."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for i in range(1, 9):
        Image.new("RGB", (9, 12), (10 * i,) * 3).save(folder / f"{i}.png")
    return folder
