"""Trains tiny runs, as one process of several or on several devices of one: for test_strategies.py.

Takes a JSON object: `port` and `process`, of two, on JAX; and `jobs`, objects with a `workdir`, the
`method`, the `fields` of its config, and maybe `kill_at` or `stop_at`: after how many steps the
process sends itself a SIGKILL or SIGTERM.
"""

import json
import os
import pathlib
import signal
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from helpers import config, image_config

from bms_keras import distribution
from bms_keras.runs import training

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)


class Signal(keras.callbacks.Callback):
    def __init__(self, number, step):
        super().__init__()
        self.number, self.left = number, step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def train(job):
    with tempfile.TemporaryDirectory() as folder:
        images = "data.source" in job["fields"]
        made = (
            image_config(pathlib.Path(folder), job["method"]) if images else config(job["method"])
        )
    made.update_from_flattened_dict(job["fields"])
    signals = [
        Signal(number, job[name])
        for name, number in (("kill_at", signal.SIGKILL), ("stop_at", signal.SIGTERM))
        if name in job
    ]
    own = training._Run.callbacks
    training._Run.callbacks = lambda run, underway: [*own(run, underway), *signals]
    try:
        return training.train(made, job["workdir"]) is not None
    finally:
        training._Run.callbacks = own


def main(port=None, process=None, jobs=()):
    training.image_grids.at_the_end = training.image_grids.while_training = lambda model, data: {}
    address = port and f"127.0.0.1:{port}"
    with distribution.initialize(address, port and 2, process):
        print(json.dumps([train(job) for job in jobs]))


main(**json.loads(sys.argv[1]))
