"""Kills training at random moments and shows that nothing is lost: the same bits come out.

    python benchmarks/kills.py --kills=30 --fashion=fashion_mnist.npz --out=results/kills.json
    KERAS_BACKEND=jax python benchmarks/kills.py --kills=30 --fashion=fashion_mnist.npz
    python benchmarks/kills.py --kinds=ring --kills=20 --out=results/kills.json

A run of each kind is trained once without a disturbance, and once while it is killed (SIGKILL) and
started again; then to its end. Both must end in the same checkpoint file, byte for byte (weights,
optimizers, seeds, averages, logs), in the same best one, with the same evaluations and pictures on
the way, and in the same numbers of `eval.py`. A run is a process of its own, forked from this one
to spare the imports. The last line is a JSON object: for each kind how many kills there were, in
how many the process was writing a checkpoint, how many evaluations were cut off and made up for,
how many steps were repeated, whether all was `identical`, and how many scratch files were left.
"""

import importlib
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from absl import app, flags
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bms_keras.runs import checkpoint, evaluation, training
from bms_keras.tables.report import commit

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # configs/ is no package to install

KINDS = flags.DEFINE_list(
    "kinds", ["grid", "fashion_mnist", "began"], "Which runs; also 'ring', 'tiny'."
)
KILLS = flags.DEFINE_integer("kills", 30, "Kills of each run, at least.")
FASHION = flags.DEFINE_string("fashion", None, "An .npz of Fashion-MNIST.")
SEED = flags.DEFINE_integer("seed", 0, "Of the moments of the kills.")
OUT = flags.DEFINE_string("out", None, "Where the JSON goes, beside the screen.")

_WIDTHS = {f"networks.{name}": (16,) for name in ("recognition", "generator", "latent_critic")}
_IMAGES = {"batch_size": 16, "networks.width": 8, "checkpoint_every": 10, "eval_every": 20}
RUNS = {  # by kind: config, method, fields, metrics to compare
    "tiny": (
        "grid",
        "bms_vae_gan",
        {
            "steps": 400,
            "checkpoint_every": 20,
            "steps_per_execution": 5,
            "jit_compile": "auto",  # XLA would take most of the time of a start on TensorFlow
            **_WIDTHS,
        },
        ("modes",),
    ),
    "grid": (
        "grid",
        "bms_vae_gan",
        {"steps": 3000, "checkpoint_every": 50, "steps_per_execution": 10, "eval_every": 500},
        ("modes", "latent"),
    ),
    "ring": (
        "ring",
        "bms_vae_gan",
        {
            "steps": 2400,
            "checkpoint_every": 50,
            "steps_per_execution": 10,
            "jit_compile": "auto",  # as above
            "eval_every": 100,
            "eval_metrics": ("modes",),
            "best_by": "min:sliced_wasserstein",
        },
        ("modes", "latent"),
    ),
    "fashion_mnist": ("fashion_mnist", "bms_vae_gan", {"steps": 800, **_IMAGES}, ("latent",)),
    "began": ("fashion_mnist", "began", {"steps": 800, **_IMAGES}, ("ivom",)),
}


def config_of(kind):
    name, method, fields, _ = RUNS[kind]
    config = importlib.import_module(f"configs.{name}").get_config(method)
    config.update_from_flattened_dict(fields)
    if name == "fashion_mnist":
        config.data.source = FASHION.value or config.data.source
        config.protocol.ivom_images = 2
    return config


class Reached(keras.callbacks.Callback):
    """Writes down after each step how far a run has come."""

    def __init__(self, path):
        super().__init__()
        self.handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def on_epoch_begin(self, epoch, logs=None):
        self.first = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch, logs=None):
        os.pwrite(self.handle, f"{self.first + batch + 1:9d}".encode(), 0)


class Run:
    """A run of one kind in a folder of its own."""

    def __init__(self, kind, folder):
        self.config = config_of(kind)
        self.metrics = RUNS[kind][-1]
        self.workdir = pathlib.Path(folder)
        self.log = self.workdir.with_suffix(".log")
        self.counter = self.workdir.with_suffix(".step")

    def train(self):
        own = training._Run.callbacks
        reached = Reached(self.counter)
        training._Run.callbacks = lambda run, underway: [*own(run, underway), reached]
        training.train(self.config, self.workdir)

    def start(self, function):
        """Calls a function in a process of its own; returns the process's number."""
        self.counter.unlink(missing_ok=True)
        self.left_behind = self.halves()  # by processes that were killed before
        process = os.fork()
        if process:
            return process
        try:
            handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            function()
            sys.stdout.flush()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)

    def finish(self, function):
        """Calls a function in a process of its own, which must end well."""
        self.check(self.start(function))

    def check(self, process):
        """Waits for a process, which must end well."""
        if os.waitpid(process, 0)[1]:
            raise SystemExit(f"kills.py: a process did not end well, see {self.log}")

    @property
    def newest(self):
        """The step of the newest checkpoint, or 0."""
        paths = checkpoint.paths(self.workdir / "checkpoints")
        return checkpoint.step_of(paths[-1]) if paths else 0

    @property
    def writing(self):
        """Whether the last process has begun a checkpoint and not ended it."""
        return bool(self.halves() - self.left_behind)

    def halves(self):
        return set((self.workdir / "checkpoints").glob(".step_*"))

    @property
    def reached(self):
        """The last step of the last process; 0 if it took none."""
        return int(self.counter.read_text() or 0) if self.counter.exists() else 0

    def outcome(self):
        """The last and the best checkpoint's bytes, what was shown, and what `eval.py` says."""
        seen = self.seen()
        self.finish(lambda: evaluation.evaluate(self.workdir, self.metrics))
        (*_, record) = (self.workdir / "metrics.jsonl").read_text().splitlines()
        folder = self.workdir / "checkpoints"
        return {
            "checkpoint": checkpoint.paths(folder)[-1].read_bytes(),
            "best": [path.read_bytes() for path in folder.glob(checkpoint.BEST)],
            "seen": seen,
            "numbers": record,
        }

    def seen(self):
        """The evaluations and the steps of the pictures that TensorBoard shows."""
        events = EventAccumulator(str(self.workdir / "tensorboard"), {"images": 0, "scalars": 0})
        tags = events.Reload().Tags()
        numbers = [tag for tag in tags["scalars"] if tag.startswith("eval/")]
        scalars = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in numbers}
        return scalars | {tag: [e.step for e in events.Images(tag)] for tag in tags["images"]}

    def scratch(self):
        """Files that a process left in the middle of a write."""
        return [path for path in self.workdir.rglob(".*") if path.is_file()]


def ended(process):
    """Whether a process of ours has ended; it can still be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def undisturbed(run):
    """Trains to the end; returns the seconds to the first checkpoint and from one to the next."""
    process, started, first, last = run.start(run.train), time.time(), 0.0, 0.0
    while not ended(process):
        now = time.time() - started
        first = first or (now if run.newest else 0.0)
        last = last or (now if run.newest == run.config.steps else 0.0)
        time.sleep(0.01)
    run.check(process)
    return first, (last - first) * run.config.checkpoint_every / run.config.steps


def disturbed(run, first, interval):
    """Kills the run at random moments, then lets it end; returns what was counted."""
    rng, steps = random.Random(SEED.value), run.config.steps
    kills = repeated = writing = 0
    while kills < KILLS.value:
        process = run.start(run.train)
        moment = rng.random()
        if moment < 0.2:  # at any moment, which most likely is before its first step
            time.sleep(rng.uniform(0, first))
        elif moment < 0.4:  # while it writes a checkpoint
            while not run.writing and not ended(process):
                pass
        else:  # soon after its first step
            while not run.reached and not ended(process):
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 2 * interval))
        if ended(process):
            run.check(process)
            break
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        kills += 1
        repeated += max(0, run.reached - run.newest)
        writing += run.writing
        print(f"kill {kills} at step {run.reached}, saved {run.newest} of {steps}", flush=True)
    run.finish(run.train)
    made_up = run.log.read_text().count("is made up for")
    return {
        "kills": kills,
        "while_writing": writing,
        "evaluations_made_up": made_up,
        "steps_repeated": repeated,
        "steps": steps,
    }


def main(_):
    record = {"backend": keras.backend.backend(), "cores": os.cpu_count()}
    for kind in KINDS.value:
        with tempfile.TemporaryDirectory() as folder:
            whole, killed = (Run(kind, f"{folder}/{name}") for name in ("whole", "killed"))
            print(f"{kind}: without a disturbance", flush=True)
            counted = disturbed(killed, *undisturbed(whole))
            left = len(killed.scratch())
            outcomes = whole.outcome(), killed.outcome()
            differ = [name for name in outcomes[0] if outcomes[0][name] != outcomes[1][name]]
            if "seen" in differ:
                print(*(outcome["seen"] for outcome in outcomes), sep="\n", flush=True)
            same = {"identical": not differ, "differ": differ, "scratch_left": left}
            command = f"python benchmarks/kills.py --kinds={kind} --kills={KILLS.value}"
            made = {"commit": commit(), "seed": SEED.value, "command": command}
            record[kind] = counted | same | made
            print(f"{kind}: {record[kind]}", flush=True)
    if OUT.value:
        out = pathlib.Path(OUT.value)
        results = json.loads(out.read_text()) if out.exists() else {}
        results[record["backend"]] = results.get(record["backend"], {}) | record
        out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(record))


if __name__ == "__main__":
    app.run(main)
