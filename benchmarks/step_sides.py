"""The sides of `step.py`: one process plays one of them. Not meant to be called by hand.

    python benchmarks/step_sides.py SIDE METHOD NETWORKS BATCH SAMPLES FOLDER

It prints the losses of all players as a line of JSON; then for each line "step" that it reads the
seconds of a step, and for "end" its peak memory in MB.
"""

import json
import os
import pathlib
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SIDE, METHOD, NETWORKS, BATCH, SAMPLES, FOLDER = sys.argv[1:]
BATCH, SAMPLES = int(BATCH), int(SAMPLES)
SHAPE, FAMILY, LATENT, LAMBDA = {
    "standard_cnn": ((32, 32, 3), "standard_cnn", 100, 10.0),
    "dcgan64": ((64, 64, 3), "dcgan", 100, 10.0),
}[NETWORKS]
NAMES = {
    "sn_gan": ("generator", "image_critic"),
    "bms_vae_gan": ("recognition", "generator", "image_critic", "latent_critic"),
}[METHOD]
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (BATCH, *SHAPE)).astype("float32")
PRIOR = RNG.standard_normal((BATCH, LATENT)).astype("float32")
POSTERIOR = np.repeat(RNG.standard_normal((1, BATCH, LATENT)), SAMPLES, 0).astype("float32")


def keras_networks():
    """The networks with weights that are the same in every process, sigma exact."""
    import types

    import keras

    from bms_keras import networks

    keras.utils.set_random_seed(0)  # of biases
    config = types.SimpleNamespace(
        family=FAMILY, latent_dim=LATENT, width=64, latent_critic=(750, 750, 750)
    )
    made = networks.build(config, SHAPE, NAMES, "spectral")
    for i, name in enumerate(NAMES):
        for j, variable in enumerate(made[name].trainable_variables):
            if len(variable.shape) > 1:
                fan_in = np.prod(variable.shape) / variable.shape[-1]
                draw = np.random.default_rng([i, j]).standard_normal(variable.shape)
                variable.assign(draw / np.sqrt(fan_in))
    for layer in normalized(made["image_critic"]):
        kernel = np.asarray(layer.layer.kernel)
        layer.u.assign(leading_vector(kernel.reshape(-1, kernel.shape[-1]))[None])
    return made


def normalized(critic):
    return [layer for layer in critic.layers if hasattr(layer, "layer")]


def leading_vector(matrix):
    """The leading right singular vector."""
    return np.linalg.eigh(matrix.T.astype("float64") @ matrix)[1][:, -1].astype("float32")


def ours():
    """Our step; `SIDE` is how the gradient is taken."""
    import keras

    from bms_keras import BMSVAEGAN, GAN

    kwargs = {"samples": SAMPLES, "gradient": SIDE, "lambda_": LAMBDA}
    model = (
        GAN(**keras_networks(), seed=0)
        if METHOD == "sn_gan"
        else BMSVAEGAN(**keras_networks(), **kwargs, seed=0)
    )
    model.compile()
    prior = model.prior
    model.prior = lambda *shape: PRIOR if len(shape) == 1 else POSTERIOR[: shape[0]]
    with keras.StatelessScope():  # batch statistics stay as they are
        losses = {player.name: float(player.loss(X)[0]) for player in model.players()}
    model.prior = prior
    return losses, lambda: model.train_on_batch(X)


def plain():
    """A train_step as a Keras user writes it."""
    from step_plain import PlainKeras

    model = PlainKeras(keras_networks(), METHOD, SAMPLES, LAMBDA)
    return model.losses_of(X, PRIOR, POSTERIOR), lambda: model.train_on_batch(X)


def torch():
    """The step as a PyTorch user writes it; the weights come from a process with Keras."""
    weights = pathlib.Path(FOLDER) / f"{METHOD}-{NETWORKS}.npz"
    if not weights.exists():  # written by a process of its own: no TensorFlow in this one
        os.spawnv(
            os.P_WAIT, sys.executable, [sys.executable, *sys.argv[:1], "weights", *sys.argv[2:]]
        )
    from step_torch import Trainer

    with np.load(weights) as file:
        arrays = {
            name: [
                file[f"{name}/{i:03d}"]
                for i in range(len(file.files))
                if f"{name}/{i:03d}" in file.files
            ]
            for name in NAMES
        }
    trainer = Trainer(arrays, METHOD, NETWORKS, SAMPLES, LAMBDA, SHAPE)
    return trainer.losses_of(X, PRIOR, POSTERIOR), lambda: trainer.step(X)


def write_weights():
    arrays = {
        f"{name}/{i:03d}": np.asarray(variable)
        for name, network in keras_networks().items()
        for i, variable in enumerate(network.trainable_variables)
    }
    np.savez(pathlib.Path(FOLDER) / f"{METHOD}-{NETWORKS}.npz", **arrays)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    losses, step = {"plain": plain, "torch": torch}.get(SIDE, ours)()
    before = peak()
    say = lambda answer: print(json.dumps(answer), flush=True)  # noqa: E731
    say(losses)
    for line in sys.stdin:
        if line == "end\n":
            say(round(peak() - before, 1))
            return
        started = time.perf_counter()
        step()
        say(time.perf_counter() - started)


if __name__ == "__main__":
    write_weights() if SIDE == "weights" else main()
