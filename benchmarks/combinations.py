"""Trains every method on every config for a few steps and says which are finite.

    python benchmarks/combinations.py --out=results/combinations.json
    KERAS_BACKEND=jax python benchmarks/combinations.py --configs=ring --steps=50

300 steps on Ring and 20 on 32 x 32 images, compiled as in training; one step of the rest. Images
are noise and networks narrow: this shows that the parts fit each other, not how good they are. A
combination that makes no sense is refused in one line, which the table counts and prints. The last
line is a JSON object.
"""

import importlib
import json
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))  # configs/ is no package to install

import keras
import numpy as np
from absl import app, flags
from PIL import Image

from bms_keras import methods
from bms_keras.errors import BadInput
from bms_keras.runs import experiment

CONFIGS = flags.DEFINE_list("configs", [], "Names of configs; all, if not given.")
METHODS = flags.DEFINE_list("methods", list(methods.METHODS), "Names of methods.")
STEPS = flags.DEFINE_integer("steps", 0, "Steps in place of each config's.")
OUT = flags.DEFINE_string("out", None, "Where the JSON goes, beside the screen.")

NARROW = {"networks.width": 8, "networks.latent_critic": (16,), "batch_size": 16}
TABLE = {  # by name: the config, its data, further fields, steps
    "grid": ("grid", None, {}, 1),
    "ring": ("ring", None, {}, 300),
    "fashion_mnist": ("fashion_mnist", (28, 1), NARROW, 1),
    "cifar10": ("cifar10", (32, 3), NARROW, 20),
    "cifar10_dcgan": ("cifar10", (32, 3), NARROW | {"networks.family": "dcgan"}, 20),
    "celeba64": ("celeba64", (64, 3), NARROW, 1),
    "folder": ("folder", "folder", NARROW, 1),
}


def noise(where, folder):
    """The path of 40 images of noise: an `.npz` of a size, or a folder of files."""
    rng = np.random.default_rng(0)
    if where == "folder":
        for i in range(40):
            image = Image.fromarray(rng.integers(0, 256, (70, 66, 3), "uint8"))
            image.save(pathlib.Path(folder) / f"{i}.png")
        return folder
    side, channels = where
    path = f"{folder}/noise_{side}.npz"
    shape = (40, side, side, channels)
    np.savez(
        path, **{f"x_{part}": rng.integers(0, 256, shape, "uint8") for part in ("train", "test")}
    )
    return path


def trained(name, method, source):
    """What became of a combination: "finite", "not finite", or the line that refuses it."""
    module, _, fields, steps = TABLE[name]
    steps = STEPS.value or steps
    config = importlib.import_module(f"configs.{module}").get_config(method)
    config.update_from_flattened_dict(fields)
    config.data.source = source or config.data.source
    config.steps_per_execution = 1 if steps == 1 else min(10, steps)
    try:
        built = experiment.build(config)
    except BadInput as error:
        return f"refused: {error}"
    built.model.run_eagerly = steps == 1  # compiling would take most of the time
    built.model.make_train_function(force=True)
    batches = built.data.batches(0, steps, built.model.batches_per_step)
    logs = built.model.fit(batches, steps_per_epoch=steps, verbose=0).history
    numbers = [values[-1] for values in logs.values()] + [built.model.sample(8, seed=0)]
    finite = all(np.isfinite(number).all() for number in numbers)
    keras.backend.clear_session()
    return "finite" if finite else "not finite"


def main(_):
    record = {}
    for name in CONFIGS.value or TABLE:
        with tempfile.TemporaryDirectory() as folder:
            where = TABLE[name][1]
            source = noise(where, folder) if where else None
            for method in METHODS.value:
                record[f"{method}:{name}"] = trained(name, method, source)
                print(f"{method} on {name}: {record[f'{method}:{name}']}", flush=True)
    outcomes = [outcome.split(":")[0] for outcome in record.values()]
    counts = {kind: outcomes.count(kind) for kind in ("finite", "not finite", "refused")}
    summary = {"backend": keras.backend.backend(), **counts, "combinations": record}
    if OUT.value:
        pathlib.Path(OUT.value).write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(counts))


if __name__ == "__main__":
    app.run(main)
