"""Steps a second of a tiny game: `train.py` against the same step compiled by hand in one loop.

    python benchmarks/tiny.py --out=results/tiny_tensorflow.json
    KERAS_BACKEND=jax python benchmarks/tiny.py --out=results/tiny_jax.json

`train.py` is the whole of it: batches drawn, Keras's `fit`, the guard against what is not finite,
logs, TensorBoard, a checkpoint an epoch. The loop is a `tf.while_loop` or a `lax.scan` under XLA of
as many steps at once as an epoch has, over batches that are there already; it is shown with the
logs, without the gradient norms, without `FirstNonFinite`, and without any log. They take turns
epoch by epoch in one process. Before that, a step of each must have computed the same losses.

The last line is a JSON object: `over_loop` is train.py's steps a second over the loop's (above 0.93
is the target), `over_loop_without_logs` over those of the loop that logs nothing; by CPU time, for
what others do on the machine does not count there, and by wall time as `..._wall`.
"""

import importlib
import os
import pathlib
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))  # configs/ is no package to install

import keras
import numpy as np
from absl import app, flags
from timing import ROUNDS, agree, table, write

from bms_keras.runs import experiment, training
from bms_keras.runs.workdir import Workdir

CONFIG = flags.DEFINE_string("config", "grid", "Name of a config of points.")
WARM_UP = 2  # epochs that compile


def compiled_loop(model):
    """A function that plays a step on each of a stack of batches."""
    if keras.backend.backend() == "jax":
        return _scan(model)
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def play(batches):
        def step(i):
            model.train_step(batches[i])
            return (i + 1,)

        tf.while_loop(lambda i: i < len(batches), step, (0,))

    return play


def _scan(model):
    import jax

    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    step = lambda state, x: (model.train_step(state, (x,))[1], None)  # noqa: E731
    scan = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches)[0], donate_argnums=0)
    state = tuple([jax.numpy.array(v.value) for v in group] for group in groups)

    def play(batches):
        nonlocal state
        state = jax.block_until_ready(scan(state, batches))
        for variable, value in zip(model.metrics_variables, state[3], strict=True):
            variable.assign(value)

    return play


def quiet(model, left_out):
    """The model without some of what it logs."""
    track = model.track
    if left_out == "first_nonfinite":
        model.first_nonfinite.update_state = lambda *args: None
    elif left_out == "gradient_norms":
        model.track = lambda player, loss, terms, gradients=None: track(player, loss, terms)
    elif left_out == "logs":
        model.track = lambda *args: None
    return model


LOOPS = {
    "loop": None,
    "loop, no gradient norms": "gradient_norms",
    "loop, no FirstNonFinite": "first_nonfinite",
    "loop, no logs": "logs",
}


class Turns(keras.callbacks.Callback):
    """Between two epochs of train.py, a turn of each loop.

    Args:
        loops: Functions of a stack of batches, by name.
        batches: The stack.
    """

    def __init__(self, loops, batches):
        super().__init__()
        self.loops, self.batches = loops, batches
        self.seconds = {name: [] for name in ("train.py", *loops)}
        self.began = now()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds["train.py"].append(now() - self.began)
        for name, loop in self.loops.items():
            began = now()
            loop(self.batches)
            self.seconds[name].append(now() - began)
        self.began = now()


def now():
    return np.array([time.process_time(), time.perf_counter()])


class Run(training._Run):
    """A run of train.py, with a callback more."""

    extra = ()

    def callbacks(self, underway):
        return [*super().callbacks(underway), *self.extra]


def one_step(model, play, x):
    """The logs of one step."""
    play(x[None])
    values = {name: float(tracker.result()) for name, tracker in model.trackers.items()}
    return {name: value for name, value in values.items() if not name.endswith("norm")}


def main(_):
    config = importlib.import_module(f"configs.{CONFIG.value}").get_config()
    epoch = config.checkpoint_every
    config.steps = epoch * (WARM_UP + ROUNDS.value)
    fresh = lambda: experiment.build(config)  # noqa: E731
    data = fresh().data
    batches = np.stack([data.batch(i) for i in range(epoch)])
    ours = fresh().model
    logs = ours.train_on_batch(batches[0], return_dict=True)
    loops = {}
    for name, left_out in LOOPS.items():
        model = quiet(fresh().model, left_out)
        loops[name] = compiled_loop(model)
        if left_out != "logs":
            agree(name, one_step(model, loops[name], batches[0]), logs)
    turns = Turns(loops, batches)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(fresh(), config, Workdir(folder), threading.Event())
        run.extra = [turns]
        with run.workdir.claimed(config):
            run.to_the_end()
    report(turns.seconds, epoch)


def report(seconds, epoch):
    rates = {name: epoch / np.array(taken[WARM_UP:]) for name, taken in seconds.items()}
    rows = []
    for name, rate in rates.items():
        quartiles = np.percentile(rate, (50, 25, 75), axis=0)
        text = ["{:.0f} ({:.0f} to {:.0f})".format(*column) for column in quartiles.T]
        rows.append({"": name, "steps a CPU second": text[0], "steps a second": text[1]})
    print(table(rows))
    record = {"config": CONFIG.value, "backend": keras.backend.backend()}
    for key, name in (("over_loop", "loop"), ("over_loop_without_logs", "loop, no logs")):
        cpu, wall = np.median(rates["train.py"] / rates[name], axis=0)
        record |= {key: round(float(cpu), 3), f"{key}_wall": round(float(wall), 3)}
    write(record | {"rates": {name: rate.round(1).tolist() for name, rate in rates.items()}})


if __name__ == "__main__":
    app.run(main)
