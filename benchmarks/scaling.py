"""What a second process brings on JAX: weak scaling of `--config.strategy=data_parallel`.

    python benchmarks/scaling.py --out=results/scaling.json

One process trains with `--batch_size`; two train `together` with twice as many images; and two each
train a game of their own (`apart`), which shows what cores that share their memory lose to each
other. A process has one thread and a core of its own, so that perfect scaling takes the same time a
step. The three take turns, in new processes each round; what counts is the wall time of a step, the
median over all but the first three, on an otherwise idle machine. `efficiency` is one's time over
that of two together, `of_the_machine` the same with two apart in place of one; quartiles are of the
rounds. That both ways play the same game is tested in tests/test_strategies.py.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from implementations import noise_images
from timing import ROUNDS, environment, ratio, table, write

METHOD = flags.DEFINE_string("method", "alpha_gan_sn", "A method of configs/cifar10.py.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images a process.", 1)
STEPS = flags.DEFINE_integer("steps", 10, "Steps of a turn.", 4)
WARM = 3  # steps that do not count: the first compiles
WAYS = {"one": (1, 1), "together": (2, 2), "apart": (2, 1)}  # processes, and how many play a game


def measured(processes, partners):
    """Seconds of a step in the first of so many processes, of which so many play one game."""
    batch_size = partners * BATCH_SIZE.value
    spec = {"method": METHOD.value, "steps": STEPS.value, "batch_size": batch_size}
    with tempfile.TemporaryDirectory() as folder:
        spec |= {"data": noise_images((32, 32, 3), batch_size, folder)}
        spec |= {"partners": partners, "address": f"127.0.0.1:{_free_port()}"}
        workers = []
        for i in range(processes):
            mine = {"process": i, "workdir": f"{folder}/{i // partners}"}
            command = [sys.executable, __file__, json.dumps(spec | mine)]
            env = {**os.environ, **environment(), "KERAS_BACKEND": "jax"}
            workers.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
        answers = [worker.communicate()[0] for worker in workers]
    return json.loads(answers[0].splitlines()[-1])


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def work(spec):
    """Trains as one of the processes; the first prints the seconds of a step."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[spec["process"]]})
    import keras

    from bms_keras import distribution
    from bms_keras.configs import cifar10
    from bms_keras.runs import training

    ends = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            np.asarray(list(logs.values()))  # waits for the step
            ends.append(time.perf_counter())

    config = cifar10.get_config(spec["method"])
    config.update(batch_size=spec["batch_size"], steps=spec["steps"], eval_every=0)
    config.data.source = spec["data"]
    rank = None, None, None
    if spec["partners"] > 1:
        config.strategy = "data_parallel"
        rank = spec["address"], spec["partners"], spec["process"]
    with distribution.initialize(*rank):
        training.train(config, spec["workdir"], callbacks=[Clock()])
    if ends:
        print(json.dumps(float(np.median(np.diff(ends)[WARM - 1 :]))))


def main(_):
    seconds = {way: [] for way in WAYS}
    for _ in range(ROUNDS.value):
        for way, found in seconds.items():
            found.append(round(measured(*WAYS[way]), 4))
            print(f"{way}: {found[-1]} s a step", file=sys.stderr, flush=True)
    record = {"method": METHOD.value, "images a process": BATCH_SIZE.value, "seconds": seconds}
    record |= {"clock": "wall", "quartiles": {}}
    for name, above in (("efficiency", "one"), ("of_the_machine", "apart")):
        record[name], *record["quartiles"][name] = ratio(seconds[above], seconds["together"])
    print(table([{"way": n, "s a step": f"{np.median(s):.3f}"} for n, s in seconds.items()]))
    write(record)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("{"):
        work(json.loads(sys.argv[1]))
    else:
        app.run(main)
