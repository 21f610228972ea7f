"""How close IvOM's search comes, beside twice as many steps of Adam.

    python benchmarks/ivom_search.py runs/one runs/another --out=results/ivom_search.json

Of each run's generator the least errors of held-out images by L-BFGS (`metrics/ivom.py`) over those
by Adam, from the same draws of the prior: Adam with a rate that falls from 0.1 to 0 as a cosine,
beta 0.9 and 0.9, and the best of the starts after a tenth of the steps. Runs have to be of image
data. The last line is a JSON object: `..._over_adam` below 1 is better.
"""

import pathlib

import numpy as np
from absl import app, flags
from keras import ops
from timing import CLOCK, CLOCKS, table, write

import bms_keras
from bms_keras.backends import value_and_gradient
from bms_keras.data.images import scaled
from bms_keras.metrics import ivom

IMAGES = flags.DEFINE_integer("images", 50, "Held-out images.", 2)
STEPS = flags.DEFINE_integer("steps", 1000, "Steps of L-BFGS; Adam has twice as many.", 10)
STARTS, BATCH, RATE, BETA = 5, 25, 0.1, 0.9


def adam(evaluate, z, images, steps):
    """The least error of each image."""
    count, starts, latent_dim = z.shape
    z, targets = z.reshape(-1, latent_dim), np.repeat(images, starts, 0)
    least, mean, square = np.full(len(z), np.inf), np.zeros_like(z), np.zeros_like(z)
    for step in range(steps):
        if step == steps // 10:
            best = np.arange(count) * starts + least.reshape(count, starts).argmin(1)
            z, targets, least, mean, square = (
                each[best] for each in (z, targets, least, mean, square)
            )
        errors, gradient = map(ops.convert_to_numpy, evaluate(z, targets))
        least = np.minimum(least, errors)
        mean = BETA * mean + (1 - BETA) * gradient
        square = BETA * square + (1 - BETA) * gradient**2
        correction = (1 - BETA ** (step + 1)) ** 0.5
        rate = RATE * (1 + np.cos(np.pi * step / steps)) / 2
        z = z - (rate / correction * mean / (np.sqrt(square) + 1e-12)).astype("float32")
    return least.reshape(count, -1).min(1)


def compared(workdir):
    """Errors and seconds of both searches on a run's generator."""
    run = bms_keras.load_run(workdir)
    x = scaled(run.data.images(IMAGES.value))
    evaluate = value_and_gradient(run.model.inference_network("generator"), ivom._squared_error)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((len(x), STARTS, run.model.latent_dim)).astype("float32")
    lbfgs = lambda *args: ivom._search(*args)[0]  # noqa: E731
    evaluate(z[:BATCH].reshape(-1, z.shape[-1]), np.repeat(x[:BATCH], STARTS, 0))  # compiles
    evaluate(z[:BATCH, 0], x[:BATCH])
    row = {"run": pathlib.Path(workdir).name, "step": run.step}
    for name, search, steps in (("lbfgs", lbfgs, STEPS.value), ("adam", adam, 2 * STEPS.value)):
        began = CLOCKS[CLOCK.value]()
        parts = [
            search(evaluate, z[i : i + BATCH], x[i : i + BATCH], steps)
            for i in range(0, len(x), BATCH)
        ]
        row[f"{name}_ivom"] = float(np.concatenate(parts).mean())
        row[f"{name}_s"] = round(CLOCKS[CLOCK.value]() - began, 1)
    row["ivom_over_adam"] = round(row["lbfgs_ivom"] / row["adam_ivom"], 3)
    row["seconds_over_adam"] = round(row["lbfgs_s"] / row["adam_s"], 3)
    print(table([row]), flush=True)
    return row


def main(arguments):
    rows = [compared(workdir) for workdir in arguments[1:]]
    write({"steps": STEPS.value, "images": IMAGES.value, "starts": STARTS, "runs": rows})


if __name__ == "__main__":
    app.run(main)
