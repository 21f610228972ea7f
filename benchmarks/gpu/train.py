"""Trains rows of a table side by side for so many seconds, and keeps samples of each.

    KERAS_BACKEND=jax python -m benchmarks.gpu.train --data=. --seconds=500 --out=out \\
        --rows=bms_vae_gan,sn_gan,alpha_gan_sn --precision=bfloat16

The rows take turns of `--round` steps, so that at any moment all have seen as much; no round is
begun that would not end in time. Of each row it keeps 5,000 samples at the steps of `--at` and at
its end (`ROW_STEP` in lossless sheets: the samples that `eval.py` takes for the FID; with `ema` in
its config `ROW_raw_STEP`, too, of the weights that the averages are of), G's weights,
and in the folder `--checkpoints` all that is needed to go on: the same command does, where
it finds them. `train.json` holds the losses of each round and the seconds.

`--data` is the folder of the sheets that `pack.py` made, of which all must be there, or what a
config has as `data.source`; a row of another config than CIFAR-10's is CONFIG:METHOD:

    KERAS_BACKEND=jax python -m benchmarks.gpu.train --data=stacked_mnist:mnist.npz \\
        --out=stacked --samples=26000 --seconds=500 --steps=50000 --precision=tf32 \\
        --rows=stacked_mnist_small:dcgan,stacked_mnist_small:bms_vae_gan
"""

import concurrent.futures
import json
import pathlib
import tempfile
import time

import jax
import numpy as np
from absl import app, flags

from benchmarks.gpu import loop, sheets
from bms_keras.metrics.samples import drawn
from bms_keras.runs import checkpoint
from bms_keras.tables.jobs import fields_of

DATA = flags.DEFINE_string("data", ".", "Folder of the sheets of images, or a data.source.")
SECONDS = flags.DEFINE_integer("seconds", 500, "The time for all of it.", 1)
ROWS = flags.DEFINE_list(
    "rows", ["bms_vae_gan"], "(CONFIG:)METHOD+FIELD=VALUE, as many as are wanted."
)
PRECISION = flags.DEFINE_enum(
    "precision", "best", [*loop.PRECISIONS, "best"], "Or the fastest by OUT/speed.json."
)
ROUND = flags.DEFINE_integer("round", 5000, "Steps a turn; a multiple of 50.", 1)
STEPS = flags.DEFINE_integer("steps", 100_000, "Steps at most.", 1)
AT = flags.DEFINE_list("at", [], "Steps at which samples are kept, besides the last.")
SAMPLES = flags.DEFINE_integer("samples", 5000, "How many samples.", 1)
RESERVE = flags.DEFINE_integer("reserve", 30, "Seconds kept for what is written at the end.", 0)
FIELDS = flags.DEFINE_list("fields", [], "Fields of every row's config, NAME=VALUE.")
OUT = flags.DEFINE_string("out", "out", "Folder of the results.")
CHECKPOINTS = flags.DEFINE_string("checkpoints", None, "Folder of what is needed to go on.")
CACHE = flags.DEFINE_string("cache", None, "Folder in which compiled programs are kept.")
CHUNK = 1000  # samples at a time, and the seeds of each: those of `metrics.fid`


class Run:
    """A row under training, and what is kept of it."""

    def __init__(self, text, data, precision):
        self.row = loop.Row.parse(text)
        self.config = self.row.config(data, precision, **fields_of(FIELDS.value))
        self.training = loop.Training(self.config, precision)
        self.lowered = self.training.lower()
        self.rounds, self.seconds = [], 0.0

    def compiled(self, began):
        """The program; says how long it took, for on a machine lent by the minute that decides."""
        program = self.lowered.compile()
        print(f"{self.row.name} compiled after {time.monotonic() - began:.0f} s", flush=True)
        return program

    def play(self, program):
        """One round."""
        began = time.monotonic()
        self.training.run(program, ROUND.value)
        logs = self.training.pause()
        self.seconds += time.monotonic() - began
        self.rounds.append({"step": self.training.step, **logs})
        print(f"{self.row.name} step {self.training.step}: {self.seconds:.0f} s", flush=True)

    def keep_samples(self):
        """Samples of now, as sheets; where averages serve, those of the weights themselves, too."""
        self._keep_samples(self.row.name)
        if averages := self.training.model.averages:
            generator, average = self.training.model.generator, averages["generator"]
            kept = average.get_weights()
            average.set_weights(generator.get_weights())
            self._keep_samples(f"{self.row.name}_raw")
            average.set_weights(kept)

    def _keep_samples(self, name):
        parts = range(0, SAMPLES.value, CHUNK)
        model = self.training.model
        images = [drawn(model, min(CHUNK, SAMPLES.value - k), [0, k]) for k in parts]
        notes = {"config": json.loads(self.config.to_json()), "step": self.training.step}
        sheets.write(np.concatenate(images), OUT.value, f"{name}_{self.training.step}", **notes)

    def keep_weights(self):
        """The weights of the G that serves, float32, in the order of `get_weights`."""
        weights = self.training.model.inference_network("generator").get_weights()
        np.savez(pathlib.Path(OUT.value) / f"{self.row.name}.npz", *weights)

    def resume(self):
        """Goes on where an earlier machine stopped, if its checkpoint is here."""
        if step := self.training.resume(self.checkpoints):
            print(f"{self.row.name} goes on at step {step}", flush=True)

    def keep_checkpoint(self):
        checkpoint.save(self.training.model, self.checkpoints, self.config, keep=1)

    @property
    def checkpoints(self):
        return pathlib.Path(CHECKPOINTS.value) / self.row.name


def main(_):
    began = time.monotonic()
    loop.keep_programs(CACHE.value)
    precision = _precision()
    with tempfile.TemporaryDirectory() as scratch:
        data = sheets.source(DATA.value, scratch)
        runs = [Run(text, data, precision) for text in ROWS.value]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        programs = list(pool.map(lambda run: run.compiled(began), runs))
    if CHECKPOINTS.value:
        for run in runs:
            run.resume()
    at = {int(step) for step in AT.value}
    slowest = 0.0
    while runs[0].training.step < STEPS.value:
        left = SECONDS.value - RESERVE.value - (time.monotonic() - began)
        if slowest > left:
            break
        round_began = time.monotonic()
        for run, program in zip(runs, programs, strict=True):
            run.play(program)
            if run.training.step in at:
                run.keep_samples()
        slowest = max(slowest, time.monotonic() - round_began)
        _write(runs, precision, began)
    for run in runs:
        if run.training.step not in at:
            run.keep_samples()
        run.keep_weights()
        _write(runs, precision, began)
    if CHECKPOINTS.value:
        for run in runs:
            run.keep_checkpoint()


def _precision():
    """The one that is asked for; "best": that of the most steps a second in `speed.json`."""
    if PRECISION.value != "best":
        return PRECISION.value
    rows = json.loads((pathlib.Path(OUT.value) / "speed.json").read_text())["rows"]
    first = next(iter(rows)).split()[0]  # T, the first that was measured
    rates = {name: row["steps_per_second"] for name, row in rows.items()}
    return max((name for name in rates if name.split()[0] == first), key=rates.get).split()[1]


def _write(runs, precision, began):
    record = {
        "device": jax.devices()[0].device_kind,
        "precision": precision,
        "seconds": time.monotonic() - began,
        "rows": {r.row.name: {"seconds": r.seconds, "rounds": r.rounds} for r in runs},
    }
    folder = pathlib.Path(OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.json").write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    app.run(main)
