"""What several test files share: tiny configs, data and networks, and losses written out."""

import functools
import json
import os
import pathlib
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
from absl import flags

import bms_keras
from bms_keras import data
from bms_keras.monitoring import figures
from bms_keras.runs import checkpoint
from bms_keras.runs.config import default_config
from bms_keras.runs.workdir import Workdir

ROOT = pathlib.Path(__file__).parent.parent

TENSORFLOW = keras.backend.backend() == "tensorflow"
on_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="JAX takes longer for the same")
# TensorFlow traces a graph for three seconds, longer than most tests' few steps take without one.
# Graphs are tested where whole runs are: test_training.py, test_checkpoint.py, test_experiment.py,
# test_methods.py.
EAGERLY = TENSORFLOW


def draw_few_latents():
    """Has the paper's table 3 drawn of 30 latents, not of 1,000, whose t-SNE takes ten seconds."""
    figures.latent_space = functools.partial(figures.latent_space, points=30)


class ForkServer:
    """Runs command lines on the backend under test without their imports; see cli_fork_server.py.

    It is a context manager. Calling it with what would follow `python` on a command line, a
    `folder` to look at and changes to the environment gives what `subprocess.run` would: an object
    with `returncode`, `stdout`, `stderr`, and `changed`, whether what lies in the folder has.

    Args:
        cwd: Where they run.
        **environment: What the process that is forked has beside this one's.
    """

    def __init__(self, cwd=ROOT, **environment):
        self._cwd = cwd
        self._environment = {"KERAS_BACKEND": keras.backend.backend()} | environment

    def __enter__(self):
        self._server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "cli_fork_server.py")],
            cwd=self._cwd,
            env=os.environ | self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_):
        self._server.communicate()

    def __call__(self, *arguments, folder=None, **environment):
        asked = [list(map(str, arguments)), environment, folder and str(folder)]
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        names = ("returncode", "stdout", "stderr", "changed")
        answer = json.loads(self._server.stdout.readline())
        return types.SimpleNamespace(**dict(zip(names, answer, strict=True)))


def config(method="bms_vae_gan", **fields):
    """Of dense networks of eight units on Grid."""
    config = default_config(method, lambda_=4.0, margins=(1.0, 1.0))
    config.data.source = "grid"
    widths = {name: (8,) for name in ("recognition", "generator", "image_critic", "latent_critic")}
    config.networks = {
        "family": "mlp",
        "latent_dim": 4,
        "lipschitz": 10.0,
        "input_scale": 1.0,
        **widths,
    }
    config.update_from_flattened_dict(fields)
    return config


def short(**fields):
    """A run of 40 steps, ten an execution, twenty an epoch."""
    fields = {"steps": 40, "batch_size": 8, "checkpoint_every": 20, "ema": 0.9, **fields}
    return config(steps_per_execution=10, **fields)


def image_config(folder, method="bms_vae_gan", **fields):
    """Of DCGAN's networks on 8 x 8 noise, in an `.npz` that is written into the folder."""
    rng = np.random.default_rng(0)
    parts = {"x_train": (40, 8, 8, 3), "x_test": (24, 8, 8, 3)}
    arrays = {name: rng.integers(0, 256, shape, "uint8") for name, shape in parts.items()}
    np.savez(folder / "noise.npz", **arrays)
    image_config = config(method)
    image_config.data.source = str(folder / "noise.npz")
    image_config.batch_size = 8
    image_config.networks = {"family": "dcgan", "latent_dim": 4, "width": 2, "latent_critic": (8,)}
    image_config.update_from_flattened_dict(fields)
    return image_config


def content(workdir):
    """The newest checkpoint, byte for byte, and its step."""
    path = checkpoint.paths(Workdir(workdir).checkpoints)[-1]
    return path.read_bytes(), int(path.stem[5:])


def load(source, **fields):
    """The images of a file, a folder or a name, of 8 x 8 pixels."""
    config = {"resolution": 8, "channels": 3, "crop": 0, "held_out": 0.25, "skip_broken": False}
    config |= {"background": 255, "accept_changes": False, "flip": False}
    return data.load(types.SimpleNamespace(source=str(source), **config | fields), 2, seed=0)


def values(images):
    """The one value of each image, of which all pixels are alike."""
    images = np.asarray(images)
    assert (images == images[:, :1, :1, :1]).all()
    return images[:, 0, 0, 0].tolist()


def wrapped(layer):
    """The layer itself, or what spectral normalisation wraps."""
    return layer.layer if isinstance(layer, bms_keras.SpectralNormalization) else layer


def kinds(network):
    return [type(wrapped(layer)).__name__ for layer in network.layers]


def count(network):
    return sum(int(np.prod(w.shape)) for w in network.trainable_weights)


def enlarged(network, factor=50):
    network.set_weights([factor * w for w in network.get_weights()])
    return network


def naive_gdpp(real, fake, magnitude_weight):
    """GDPP's diversity term in numpy and float64."""

    def spectrum(features):
        features = features.astype("float64")  # else a zero's eigenvectors, which may be any, count
        units = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.linalg.eigh(units @ units.T)

    (values, vectors), (fake_values, fake_vectors) = spectrum(real), spectrum(fake)
    weights = (values - values.min()) / (values.max() - values.min())
    magnitude = magnitude_weight * np.mean((values - fake_values) ** 2)
    return magnitude - np.sum(weights * np.abs(np.sum(vectors * fake_vectors, 0)))


class NumpyLosses:
    """The three losses in plain numpy, with the model's weights and the given noise."""

    def __init__(self, model, noise):
        self.model, self.noise = model, noise

    def network(self, name, x):
        x = np.asarray(x, "float64")
        for layer in self.model.networks[name].layers:
            if isinstance(layer, keras.layers.Rescaling):
                x = x * layer.scale
                continue
            normalized = isinstance(layer, bms_keras.SpectralNormalization)
            dense = layer.layer if normalized else layer
            kernel, bias = (w.astype("float64") for w in dense.get_weights())
            sigma = np.linalg.svd(kernel, compute_uv=False)[0] if normalized else 1.0
            x = x @ (kernel / sigma) + bias
            slope = {"relu": 0.0, "leaky_relu": 0.2, "linear": 1.0}[dense.activation.__name__]
            x = np.where(x > 0, x, slope * x)
        return x

    def critic(self, name, x):
        return self.network(name, x)[..., 0]

    def posterior(self, x, samples):
        mean, log_variance = np.split(self.network("recognition", x), 2, axis=-1)
        assert -11 < log_variance.min() <= log_variance.max() < 2  # where nothing bounds it
        std = np.sqrt(np.exp(log_variance))
        return [mean + std * noise for noise in self.noise(samples, len(x))]

    def generated(self, x):
        return self.network("generator", self.noise(len(x)))

    def generator(self, x):
        model = self.model
        z = self.posterior(x, model.samples)
        x_i = [self.network("generator", each) for each in z]
        best = np.min([np.mean(np.abs(x - each) ** model.norm, -1) for each in x_i], 0).mean()
        kl = -np.mean([self.critic("latent_critic", each) for each in z])
        least_realistic = np.min([self.critic("image_critic", each) for each in x_i], 0).mean()
        prior = self.critic("image_critic", self.generated(x)).mean()
        return (
            model.lambda_ * best
            + model.divergence_weight * kl
            - model.alpha * least_realistic
            - model.prior_weight * prior
        )

    def image_critic(self, x):
        a, b = self.model.margins
        real = self.critic("image_critic", x)
        fake = self.critic("image_critic", self.generated(x))
        return np.maximum(0, a - real).mean() + np.maximum(0, b + fake).mean()

    def latent_critic(self, x):
        (q,) = self.posterior(x, 1)
        p, q = self.critic("latent_critic", self.noise(len(x))), self.critic("latent_critic", q)
        return np.log(1 + np.exp(-p)).mean() + np.log(1 + np.exp(q)).mean()


def close(tensor, expected, rtol=1e-4):
    """Asserts that a tensor has the expected values."""
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tensor), expected, rtol=rtol, atol=1e-5)


def forget_flags(module):
    """Forgets the flags that a benchmark defines: another that is imported has an --out, too."""
    for flag in list(flags.FLAGS.flags_by_module_dict()[module.__name__]):
        delattr(flags.FLAGS, flag.name)
