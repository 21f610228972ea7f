"""Trains and measures runs, each in a process of its own; what is done is not done again.

    python -m bms_keras.tables.runs JOB

plays one run, of a `Job` as JSON: this is how `play` starts them.
"""

import ast
import concurrent.futures
import dataclasses
import importlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

from bms_keras import data, files, methods, metrics
from bms_keras.errors import BadInput, warn
from bms_keras.runs import checkpoint, evaluation, training
from bms_keras.runs.config import as_read, complete, differences, import_parts
from bms_keras.runs.workdir import Workdir

ONE_THREAD = {  # threads that wait for each other cost more than they bring
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run.

    Args:
        folder: Its workdir.
        config, method, fields: See `registry.Row`.
        metrics: Names of metrics; those that do not apply to the method or its data are left out.
    """

    folder: str
    config: str
    method: str
    fields: dict
    metrics: tuple[str, ...]

    def full_config(self):
        """The config of the run.

        Raises:
            BadInput: If there is no such config, if it lacks a field or if a value is wrong.
        """
        import_parts(self.fields)
        config = _config_module(self.config).get_config(self.method)
        config.lock()
        for name, value in self.fields.items():
            try:
                if isinstance(_value(config, name), tuple) and not isinstance(value, (tuple, list)):
                    value = (value,)  # the width of a single layer
                config.update_from_flattened_dict({name: value})
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise BadInput(f"{name}={value!r} does not fit configs/{self.config}.py") from error
        return complete(config)

    def record(self):
        """What was measured of the finished run, or `None` while there is something to do."""
        folder, config = Workdir(self.folder), self.full_config()
        if not folder.config_file.exists():
            return None
        there, here = folder.config().to_dict(), as_read(config)
        if differences(there, here) or any(
            there[part] != here[part] for part in ("data", "protocol")
        ):
            return None  # training refuses the one; of the others it decides, or measures anew
        for record in reversed(folder.records()):
            of_method = record.get("step") == config.steps and "sampler" not in record
            if of_method and self._measured(record):
                return record
        return None

    def applicable(self, names):
        """Those of some metrics that apply to the method and to its data, which are opened if need
        be; no network is built."""
        config, noted = self.full_config(), checkpoint.newest(Workdir(self.folder).checkpoints)
        return metrics.applicable(methods.get(self.method).game, data.of_run(config, noted), names)

    def _measured(self, record):
        """Whether a record holds all that apply: it says so, or, of an older version, by its
        keys."""
        if "measured" in record:
            missing = [name for name in self.metrics if name not in record["measured"]]
        else:
            starts = {name: "latent_auc" if name == "latent" else name for name in self.metrics}
            missing = [
                n for n, start in starts.items() if not any(k.startswith(start) for k in record)
            ]
        return not missing or not self.applicable(missing)

    def play(self):
        """Trains to the end, or until a signal asks to stop, and then measures.

        Raises:
            BadInput: If no metric applies, before anything is trained; see `training.train`,
                `evaluation.evaluate`.
        """
        names = self.applicable(self.metrics)
        if self.metrics and not names:
            raise BadInput(
                f"the method {self.method!r} and its data need other metrics. "
                f"Received: {', '.join(self.metrics)}"
            )
        if training.train(self.full_config(), self.folder) is not None:
            evaluation.evaluate(self.folder, names)


def _config_module(name):
    """The module of a config: one of this package, or the user's own NAME.py in this folder."""
    for module in (f"bms_keras.configs.{name}", name):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in (module, "bms_keras.configs"):  # it is there; its imports are not
                raise BadInput(f"{name}.py cannot be imported: {error}") from None
        else:
            if hasattr(found, "get_config"):
                return found
    raise BadInput(f"no configs/{name}.py and no config {name}.py in this folder")


def job(folder, row, fields, seed, names):
    """The run of a row for a seed.

    Args:
        folder: Where the workdirs of all runs are.
        row: A `registry.Row`.
        fields: Fields set for all rows; the row's own come before them.
        seed: Integer.
        names: Names of metrics.
    """
    fields = {**fields, **row.fields, "seed": seed}
    path = str(files.expanded(folder) / f"{row.name}_{seed}")
    return Job(path, row.config, row.method, fields, tuple(names))


def _value(config, name):
    """The value of a config's field by its dotted name."""
    for part in name.split("."):
        config = config[part]
    return config


def play(jobs, count):
    """Plays runs, `count` at a time with a core each.

    A run's output goes to `log.txt` in its workdir. When this process is asked to stop (SIGTERM or
    Ctrl-C), the runs under way write a checkpoint first; when it is killed, so are they.

    Args:
        jobs: List of `Job`.
        count: Runs at a time; one alone has all cores.

    Yields:
        Pairs of a job and its record, as they are done.

    Raises:
        BadInput: If a run fails; those under way stop with a checkpoint.
    """
    cores = queue.SimpleQueue()
    for i in range(count):
        available = sorted(os.sched_getaffinity(0))
        cores.put(available[i % len(available)] if count > 1 else None)
    underway, before = [], signal.signal(signal.SIGTERM, signal.default_int_handler)
    pool = concurrent.futures.ThreadPoolExecutor(count)
    try:
        futures = {pool.submit(_in_a_process, job, cores, underway): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in underway:
            process.terminate()
        raise
    finally:
        pool.shutdown()
        signal.signal(signal.SIGTERM, before)


def _in_a_process(job, cores, underway):
    """Plays a run in a process of its own, unless it is done; returns its record."""
    if record := job.record():
        return record
    core, folder = cores.get(), pathlib.Path(job.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", __name__, json.dumps(dataclasses.asdict(job))]
        alone = {} if core is None else {**ONE_THREAD, "BMS_KERAS_CORE": str(core)}
        with (folder / "log.txt").open("a+b") as log:
            before = log.seek(0, os.SEEK_END)
            # In a session of its own, so that Ctrl-C reaches it once, through `play`; with a pipe
            # from here, whose end tells it that this process is gone.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | alone,
                start_new_session=True,
            )
            underway.append(process)
            status = process.wait()
            underway.remove(process)
            log.seek(before)
            said = log.read().decode(errors="replace").split("\n")
    finally:
        cores.put(core)
    record = job.record()
    if record is None:
        lines = [line.strip() for line in said if line.strip()] or ["it said nothing"]
        line = lines[-1].removeprefix("tables: ")
        raise BadInput(f"{folder} ended with status {status} and no record: {line}")
    return record


def _end_with_the_parent():
    """Ends this process when the one that began it is gone, however that ended."""

    def wait():
        while os.read(sys.stdin.fileno(), 1):  # nothing is ever written there
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def fields_of(texts):
    """Fields of a config from "NAME=VALUE" texts; a value that is no Python literal is a text.

    Raises:
        BadInput: If there is no "=".

    Example:

    >>> fields_of(["samples=30", "gradient=all"])
    {'samples': 30, 'gradient': 'all'}
    """
    fields = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found:
            raise BadInput(f"a field is NAME=VALUE. Received: {text!r}")
        try:
            fields[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            fields[name] = value
    return fields


if __name__ == "__main__":
    if core := os.environ.get("BMS_KERAS_CORE"):
        os.sched_setaffinity(0, {int(core)})
    _end_with_the_parent()
    try:
        Job(**json.loads(sys.argv[1])).play()
    except (BadInput, OSError) as error:
        warn(f"tables: {error}")
        sys.exit(1)
