"""The folder of a run: what lies where, and what may not be overwritten."""

import contextlib
import errno
import fcntl
import json
import os

from ml_collections import ConfigDict

from bms_keras import files
from bms_keras.errors import BadInput, reason, warn
from bms_keras.files import write_atomically

MAY_CHANGE = (  # when a run goes on
    "steps",
    "checkpoint_every",
    "keep",
    "best_by",
    "eval_every",
    "eval_metrics",
    "protocol",
    "on_nan",
    "max_rollbacks",
    "strategy",
)


class Workdir:
    """Paths of a run and its JSON files.

    `config.json`, `checkpoints/`, `tensorboard/`, `samples/` (PNG), `metrics.jsonl`, and
    `evaluated.json`, the last evaluation in training.

    Args:
        path: The folder; made on the first write.
    """

    def __init__(self, path):
        self.path = files.expanded(path, "--workdir")
        self.config_file = self.path / "config.json"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.samples = self.path / "samples"
        self.metrics_file = self.path / "metrics.jsonl"
        self.evaluated_file = self.path / "evaluated.json"

    @contextlib.contextmanager
    def claimed(self, config):
        """Holds the folder for one run, which no other process may then claim.

        Writes the config of a new run, or checks that it is the one that began this run, and
        removes the scratch files of a run that was killed while it wrote. The operating system lets
        go of the folder when the process ends, however it ends.

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
            self._write_config(config)
            projector = self.tensorboard / "projector"
            for folder in (self.path, self.checkpoints, self.tensorboard, projector, self.samples):
                files.sweep(folder)
            yield
        finally:
            os.close(handle)

    def _write_config(self, config):
        config = as_read(config)
        if self.config_file.exists() and (others := differences(self._read(), config)):
            raise BadInput(
                f"{self.path} holds a run of another config ({'; '.join(others)}). "
                "Choose another --workdir, or the same config to go on."
            )
        try:
            write_atomically(self.config_file, json.dumps(config, indent=2).encode())
        except OSError as error:
            raise BadInput(f"--workdir={self.path} cannot be written: {error.strerror}") from None

    def config(self):
        """The config of the run, a `ConfigDict`.

        Raises:
            BadInput: If there is no run here.
        """
        if not self.config_file.exists():
            raise BadInput(f"--workdir={self.path} holds no run: {self.config_file} is missing")
        return ConfigDict(self._read())

    def log(self, record):
        """Appends a record to `metrics.jsonl`; says so where that cannot be done."""
        line = f"{json.dumps(record)}\n".encode()
        try:
            with self.metrics_file.open("a+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                    line = b"\n" + line  # a process was killed in the line before
                if file.write(line) != len(line):
                    file.truncate(end)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            warn(f"{self.metrics_file} cannot be written: {error.strerror}")

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
            config = json.loads(self.config_file.read_bytes())
            if not isinstance(config, dict):
                raise ValueError("it holds no object")
            return config
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.config_file} is not the JSON of a config: {error}") from None


def as_read(config):
    """A config as it reads back from a file, a dictionary: its tuples are lists."""
    return json.loads(config.to_json())


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


def differences(old, new):
    """What two configs differ in, but for what may change: a list of lines to read."""
    return [
        f"{field}: {a!r} there, {b!r} now"
        for field, a, b in _differing(old, new)
        if field.split(".")[0] not in MAY_CHANGE
    ]


def _differing(old, new, prefix=""):
    """The fields whose values differ, as (dotted name, old, new)."""
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differing(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}", a, b
