"""How long training waits for its data: the share of a step, over real steps.

    python benchmarks/pipeline.py --config=configs/cifar10.py --steps=500 \\
        --config.data.source=cifar10.npz --config.batch_size=16

The last line is a JSON object: `wait_percent` of all steps but the first ten, which compile;
`longest_wait_s` of a single step; `seconds_per_step` (the median), and whether every logged loss
was `finite`.
"""

import json
import os
import platform
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from absl import app, flags
from ml_collections import config_flags

from bms_keras.runs import experiment

CONFIG = config_flags.DEFINE_config_file("config", "configs/cifar10.py", "As train.py takes it.")
STEPS = flags.DEFINE_integer("steps", 500, "Steps to train.", 20)
WARM_UP = 10


def main(_):
    config = CONFIG.value
    built = experiment.build(config)
    batches = iter(built.data.batches(0, STEPS.value))
    waits, steps, finite = [], [], True
    for step in range(STEPS.value):
        started = time.perf_counter()
        x = next(batches)
        arrived = time.perf_counter()
        logs = built.model.train_on_batch(x[0] if isinstance(x, tuple) else x, return_dict=True)
        finite &= bool(np.isfinite(list(logs.values())).all())
        waits.append(arrived - started)
        steps.append(time.perf_counter() - started)
        if step % 20 == 0:
            print(f"step {step}: {steps[-1]:.3f} s, of which {waits[-1]:.4f} s waiting", flush=True)
    waits, steps = waits[WARM_UP:], steps[WARM_UP:]
    record = {
        "method": config.method,
        "samples": config.samples,
        "family": config.networks.family,
        "shape": built.data.shape,
        "batch_size": config.batch_size,
        "steps": STEPS.value,
        "backend": keras.backend.backend(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "seconds_per_step": round(float(np.median(steps)), 4),
        "wait_percent": round(100 * sum(waits) / sum(steps), 3),
        "longest_wait_s": round(max(waits), 4),
        "finite": finite,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    app.run(main)
