"""The folder of a run: what lies where, and what may not be overwritten."""

import contextlib
import fcntl
import json
import os
import shlex
import sys

from bms_keras import files
from bms_keras.errors import BadInput, first_line, reason, warn
from bms_keras.files import write_atomically
from bms_keras.runs.config import as_read, changes, complete, differences, import_parts

LARGEST = 2**20  # bytes of a config.json


class Workdir:
    """Paths of a run and its JSON files.

    `config.json`, `checkpoints/`, `tensorboard/`, `samples/` (PNG), `metrics.jsonl`,
    `evaluated.json`, the last evaluation in training; and `config_history.jsonl`, where each line
    says which fields changed when the run went on:
    {"step": 3000, "changed": {"optimizer.learning_rate": [0.001, 0.0005]}}.

    Args:
        path: The folder; made on the first write.
        flag: What the user calls it, for errors.
    """

    def __init__(self, path, flag="--workdir"):
        self.path = files.expanded(path, flag)
        self.history_file = self.path / "config_history.jsonl"
        self.config_file = self.path / "config.json"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.samples = self.path / "samples"
        self.metrics_file = self.path / "metrics.jsonl"
        self.evaluated_file = self.path / "evaluated.json"

    def closing(self):
        """Lines that say where what the run has made is, and what measures it."""
        # With a name of its own: TensorBoard would call the run by the folder of its files.
        named = f"{self.path.resolve().name}:{self.tensorboard}"
        beside = os.path.join(os.path.dirname(sys.argv[0]), "eval.py")  # the train.py that runs
        script = next(filter(os.path.exists, ("eval.py", beside)), None)
        evaluate = f"python {shlex.quote(script)}" if script else "bms-eval"
        return [
            f"pictures      {self.samples}",
            f"checkpoints   {self.checkpoints}",
            f"TensorBoard   tensorboard --logdir_spec={shlex.quote(named)}",
            f"measure it    {evaluate} --workdir={shlex.quote(str(self.path))}",
        ]

    @contextlib.contextmanager
    def claimed(self, config, check=lambda: None):
        """Holds the folder for one run, which no other process may then claim.

        Writes the config of a new run, or checks that it is the one that began this run and keeps
        what has changed in `config_history.jsonl`; removes the scratch files of a run that was
        killed while it wrote. The operating system lets go of the folder when the process ends,
        however it ends.

        Args:
            config: The run's `ConfigDict`.
            check: Function without arguments that refuses what else does not go with the run that
                is here, before anything is written.

        Raises:
            BadInput: If the folder holds a run of another config (the line names the fields), if
                another process trains in it, or if it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise BadInput(f"--workdir={self.path} cannot be used: {error.strerror}") from None
        try:
            _lock(handle, self.path)
            self._write_config(config, check)
            projector = self.tensorboard / "projector"
            for folder in (self.path, self.checkpoints, self.tensorboard, projector, self.samples):
                files.sweep(folder)
            yield
        finally:
            os.close(handle)

    def check_config(self, config):
        """Refuses a config that is not the one that began the run here, if there is one.

        Args:
            config: The `ConfigDict` to go on with.

        Returns:
            The run's config as it is in `config.json`, a dictionary, or that of a new run.

        Raises:
            BadInput: Naming the fields.
        """
        config = as_read(config)
        before = self._read() if self.config_file.exists() else config
        if others := self._of_the_file(differences, before, config):
            raise BadInput(
                f"{self.path} holds a run of another config ({'; '.join(others)}). "
                "Choose another --workdir, or the same config to go on: --workdir alone takes it."
            )
        return before

    def _write_config(self, config, check):
        before, config = self.check_config(config), as_read(config)
        check()
        try:
            if changed := changes(before, config):
                record = {"step": self._newest_step(), "changed": changed}
                files.append(self.history_file, json.dumps(record))
            write_atomically(self.config_file, json.dumps(config, indent=2).encode())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadInput(f"--workdir={self.path} cannot be written: {why}") from None

    def config(self):
        """The config of the run, a `ConfigDict`; what it lacks is at its default.

        Raises:
            BadInput: If there is no run here, or if its config is not one.
        """
        if not self.config_file.exists():
            raise BadInput(f"--workdir={self.path} holds no run: {self.config_file} is missing")
        return self._of_the_file(complete, self._read())

    def import_parts(self):
        """Imports the user's modules that the run's config names, if there is one to read.

        Raises:
            BadInput: If one cannot be imported.
        """
        try:
            values = self._read()
        except BadInput:  # `config` says what is wrong with it
            return
        self._of_the_file(import_parts, values)

    def log(self, record):
        """Appends a record to `metrics.jsonl`; says so where that cannot be done."""
        try:
            files.append(self.metrics_file, json.dumps(record))
        except (OSError, ValueError) as error:
            warn(f"{self.metrics_file} cannot be written: {getattr(error, 'strerror', error)}")

    def records(self):
        """The records of `metrics.jsonl`, oldest first; what is none is skipped with a word."""
        if not self.metrics_file.exists():
            return []
        records = []
        for number, line in enumerate(files.read(self.metrics_file).splitlines(), 1):
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("it holds no object")
                records.append(record)
            except (ValueError, RecursionError) as error:
                warn(f"{self.metrics_file}, line {number}, is skipped: {reason(error)}")
        return records

    def write_evaluation(self, step, numbers):
        """Writes the last evaluation in training, whose checkpoint stands; see `evaluated_step`.

        Args:
            step: The checkpoint's step.
            numbers: Dictionary of the numbers by name; `None` is one that is missing.
        """
        content = json.dumps({"step": step, **numbers}, indent=1)
        write_atomically(self.evaluated_file, f"{content}\n".encode())

    def evaluated_step(self):
        """The step of the last evaluation in training that was completed, or 0."""
        try:
            step = json.loads(files.read(self.evaluated_file, 2**20))["step"]
            return step if type(step) is int else 0
        except (BadInput, ValueError, TypeError, LookupError, RecursionError):
            return 0  # of a run that has made none, or nothing to rely on: it is made again

    def picture(self, name):
        """The path of a PNG in `samples/`, whose folder is made."""
        self.samples.mkdir(parents=True, exist_ok=True)
        return self.samples / f"{name}.png"

    def _read(self):
        try:
            config = json.loads(files.content(self.config_file, LARGEST))
            if not isinstance(config, dict):
                raise ValueError("it holds no object")
            return config
        except (OSError, ValueError, RecursionError) as error:
            raise BadInput(
                f"{self.config_file} is not the JSON of a config: {first_line(error)}"
            ) from None

    def _newest_step(self):
        """The step of the newest checkpoint; 0 if there is none."""
        steps = (path.stem.removeprefix("step_") for path in self.checkpoints.glob("step_*.npz"))
        return max((int(step) for step in steps if step.isdecimal()), default=0)

    def _of_the_file(self, function, *configs):
        """Calls a function of configs; what it refuses is the fault of `config.json`."""
        try:
            return function(*configs)
        except BadInput as error:
            raise BadInput(f"{self.config_file}: {error}") from None


def _lock(handle, path):
    """Locks a folder, and says where that cannot be done."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(
            f"--workdir={path} is in use: another process trains in it. Wait for it to end, or "
            "choose another folder."
        ) from None
    except OSError as error:
        warn(f"--workdir={path} cannot be locked ({reason(error)}): train in it once at a time")
