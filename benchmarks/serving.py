"""How fast the SavedModel samples, beside the bare Keras generator under `tf.function`.

    python benchmarks/serving.py

Both draw the same latents of the same seed and decode them; before anything is timed they must have
given the same samples. They take turns within one run, so that noise hits both. The last line is a
JSON object: by network and number of samples the samples a second of each (the median of the
rounds), and `ratio`, the SavedModel's over the generator's: 1 or more is good.
"""

import importlib
import json
import os
import pathlib
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags
from report import machine

from bms_keras import methods, networks
from bms_keras.backends import standard_normal

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # configs/ is no package to install

ROUNDS = flags.DEFINE_integer("rounds", 30, "Turns of each side.", 3)
OUT = flags.DEFINE_string("out", None, "Where the JSON goes, beside the screen.")
CASES = {  # config, shape of the data, numbers of samples
    "grid": ((2,), (64, 500, 10_000)),
    "cifar10": ((32, 32, 3), (16, 64)),
}


def generator_and_model(name, shape):
    """An untrained SN-GAN of a config: its weights do not matter to the time."""
    config = importlib.import_module(f"configs.{name}").get_config("sn_gan")
    method = methods.get("sn_gan")
    nets = networks.build(config.networks, shape, method.networks, method.normalization)
    return nets["generator"], method.game(**nets)


def compare(served, generator, latent_dim, n):
    """Samples a second of both, and the ratio round by round."""

    @tf.function
    def bare(seed):
        return generator(standard_normal((n, latent_dim), seed), training=False)

    def by_saved_model(seed):
        return next(iter(served(n=tf.constant(n), seed=seed).values()))

    seed = tf.constant(1, tf.int64)
    np.testing.assert_allclose(by_saved_model(seed), bare(seed), rtol=0, atol=1e-5)
    seconds = np.array(
        [[_seconds(side, seed) for side in (by_saved_model, bare)] for _ in range(ROUNDS.value)]
    )
    rates = (n / np.median(seconds, 0)).round(1).tolist()
    low, ratio, high = np.percentile(seconds[:, 1] / seconds[:, 0], (25, 50, 75)).round(3).tolist()
    return {
        "saved_model": rates[0],
        "bare_generator": rates[1],
        "ratio": ratio,
        "ratio_quartiles": [low, high],
    }


def _seconds(function, seed):
    start = time.perf_counter()
    function(seed).numpy()
    return time.perf_counter() - start


def main(_):
    record = {"machine": machine(1)}
    for name, (shape, numbers) in CASES.items():
        generator, model = generator_and_model(name, shape)
        with tempfile.TemporaryDirectory() as folder:
            path = model.export_saved_model(folder)
            served = tf.saved_model.load(str(path)).signatures["sample"]
            for n in numbers:
                record[f"{name}_{n}"] = compare(served, generator, model.latent_dim, n)
                print(f"{name}, n={n}: {record[f'{name}_{n}']}", flush=True)
    if OUT.value:
        pathlib.Path(OUT.value).write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record))


if __name__ == "__main__":
    app.run(main)
