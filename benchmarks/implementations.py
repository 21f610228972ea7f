"""A side of step.py and its sisters: a model and a batch, in a process of its own.

    python benchmarks/implementations.py SPEC

SPEC is JSON: `side` (ours, keras, torch, or torch_nhwc with channels last), `config` and `method`,
`set` (fields of the config), `weights` (a file that the first side of ours writes and all others
start from). The data is noise of the config's shape: time does not depend on it.
"""

import json
import os
import pathlib
import sys
import tempfile
from unittest import mock

import numpy as np
from timing import before_tensorflow, serve

ROOT = pathlib.Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]  # configs/ is no package to install
LOSSES = ("generator_loss", "image_critic_loss", "latent_critic_loss")


def batch(shape, n):
    return np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("float32")


def noise(*shape, latent_dim):
    """Noise that depends on nothing but its shape: all sides draw the same."""
    return np.random.default_rng(shape).standard_normal((*shape, latent_dim), "float32")


class Ours:
    """A model as train.py builds it. A step of points is 200 of them, by `fit`."""

    def __init__(self, spec):
        import keras

        from bms_keras.runs import experiment

        config = configured(spec)
        with tempfile.TemporaryDirectory() as folder:
            if config.data.resolution:
                shape = image_shape(config)
                config.data.source = noise_images(shape, config.batch_size, folder)
            built = experiment.build(config)
        self.keras, self.model = keras, built.model
        self.points = None if config.data.resolution else built.data
        self.x = self.points.batch(0) if self.points else batch(shape, config.batch_size)
        if spec.get("write"):
            np.savez(spec["write"], **_arrays(self.model))

    def check(self):
        """The losses, of known noise, with the moving statistics of G.

        By a batch's own statistics the selected samples are normalised in another way than all T.
        """
        from bms_keras.methods import hybrid

        model, latent, values = self.model, self.model.latent_dim, {}
        decode = lambda z: model.generator(z, training=False)  # noqa: E731
        with (
            mock.patch.object(
                model, "prior", lambda *shape: noise(*map(int, shape), latent_dim=latent)
            ),
            mock.patch.object(model, "decode", decode),
            mock.patch.object(hybrid, "call_for_two", lambda _, z: (decode(z), decode(z))),
        ):
            for name in LOSSES:
                if hasattr(model, name):
                    with self.keras.StatelessScope():
                        values[name] = float(getattr(model, name)(self.x)[0])
        return values

    def step(self):
        if self.points:
            x = self.points.batches(0, 200)
            logs = self.model.fit(x, steps_per_epoch=200, verbose=0, shuffle=False).history
        else:
            logs = self.model.train_on_batch(self.x, return_dict=True)
        assert np.isfinite(list(logs.values())).all()

    def operators(self):
        from operators import tensorflow

        return tensorflow(self.step)


def configured(spec):
    """The config of a spec."""
    import importlib

    config = importlib.import_module(f"configs.{spec['config']}").get_config(spec["method"])
    config.update_from_flattened_dict(spec.get("set", {}))
    return config


def image_shape(config):
    return (config.data.resolution,) * 2 + (config.data.channels,)


def noise_images(shape, n, folder):
    images = np.zeros((n, *shape), "uint8")
    path = f"{folder}/noise.npz"
    np.savez(path, x_train=images, x_test=images)
    return path


def _arrays(model):
    """Weights by `network/layer/name`, of the layers that have any."""
    arrays = {}
    for name, network in model.networks.items():
        layers = [layer for layer in network.layers if layer.weights]
        for i, layer in enumerate(layers):
            for variable in layer.weights:
                arrays[f"{name}/{i}/{variable.name}"] = np.asarray(variable)
            if hasattr(layer, "normalized_kernel"):
                arrays[f"{name}/{i}/W"] = np.asarray(layer.normalized_kernel())
    return arrays


def _plain_keras(spec, weights):
    import keras
    import plain_keras

    from bms_keras import networks

    config = configured(spec)
    shape = image_shape(config)
    keras.utils.set_random_seed(0)
    names = ("recognition", "generator", "image_critic", "latent_critic")
    built = networks.build(config.networks, shape, names, "none")
    for name in set(names) - {"image_critic"}:
        for i, layer in enumerate(layer for layer in built[name].layers if layer.weights):
            layer.set_weights([weights[f"{name}/{i}/{v.name}"] for v in layer.weights])
    latent = config.networks.latent_dim
    known = lambda *shape: noise(*map(int, shape), latent_dim=latent)  # noqa: E731
    model = plain_keras.build(built, config)
    return plain_keras.Plain(model, batch(shape, config.batch_size), weights, known)


def _plain_torch(spec, weights):
    import plain_torch

    config = configured(spec)
    shape = image_shape(config)
    by_layer = {}
    for key, array in weights.items():
        network, i, name = key.split("/")
        by_layer.setdefault(network, {}).setdefault(int(i), {})[name] = array
    objective = config.objective
    size = {
        "family": config.networks.family,
        "width": config.networks.width,
        "latent_dim": config.networks.latent_dim,
        "latent_critic": config.networks.latent_critic,
        "shape": shape,
        "samples": config.samples,
        "lambda_": objective.get("lambda_"),
        "margins": objective.margins,
        "critic_to_recognition": objective.get("critic_to_recognition"),
        "method": spec["method"],
        "channels_last": spec["side"] == "torch_nhwc",
    }
    arrays = {name: [layers[i] for i in sorted(layers)] for name, layers in by_layer.items()}
    known = lambda *shape: noise(*shape, latent_dim=size["latent_dim"])  # noqa: E731
    return plain_torch.Torch(size, arrays, batch(shape, config.batch_size), known)


def make(spec):
    if spec["side"] == "ours":
        return Ours(spec)
    with np.load(spec["weights"]) as file:
        weights = dict(file)
    return (_plain_keras if spec["side"] == "keras" else _plain_torch)(spec, weights)


if __name__ == "__main__":
    if json.loads(sys.argv[1])["side"].startswith("torch"):
        before_tensorflow()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    serve(make)
