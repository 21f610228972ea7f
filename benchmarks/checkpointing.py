"""What checkpoints cost: the share of the wall time at the config's interval.

    python benchmarks/checkpointing.py --config=configs/cifar10.py \\
        --config.data.source=cifar10.npz --config.batch_size=8

Steps and checkpoints are timed in one run. Small batches make the share larger. The last line is a
JSON object with `overhead_percent`, of `checkpoint_every` steps and one checkpoint.
"""

import json
import os
import pathlib
import platform
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from absl import app, flags
from ml_collections import config_flags

from bms_keras.runs import checkpoint, experiment

CONFIG = config_flags.DEFINE_config_file("config", "configs/cifar10.py", "As train.py takes it.")
STEPS = flags.DEFINE_integer("steps", 25, "Steps to train.", 10)
SAVES = flags.DEFINE_integer("saves", 5, "Checkpoints to write.", 1)
WARM_UP = 3


def seconds(action):
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main(_):
    config = CONFIG.value
    built = experiment.build(config)
    batches = iter(built.data.batches(0, STEPS.value))

    def step():
        x = next(batches)
        built.model.train_on_batch(x[0] if isinstance(x, tuple) else x)

    steps = [seconds(step) for _ in range(STEPS.value)][WARM_UP:]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        saves = [
            seconds(lambda: checkpoint.save(built.model, folder, config))
            for _ in range(SAVES.value)
        ]
        megabytes = checkpoint.paths(folder)[-1].stat().st_size / 1e6
    step, save = float(np.median(steps)), float(np.median(saves))
    record = {
        "method": config.method,
        "family": config.networks.family,
        "batch_size": config.batch_size,
        "backend": keras.backend.backend(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "seconds_per_step": round(step, 4),
        "seconds_per_checkpoint": round(save, 3),
        "slowest_checkpoint_s": round(max(saves), 3),
        "megabytes": round(megabytes, 1),
        "checkpoint_every": config.checkpoint_every,
        "overhead_percent": round(100 * save / (save + config.checkpoint_every * step), 4),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    app.run(main)
