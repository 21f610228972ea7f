"""The folder of a run: what lies where, and what may not be overwritten."""

import contextlib
import fcntl
import json
import os
import pathlib

from ml_collections import ConfigDict

from bms_keras.errors import BadInput

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
    "data.source",  # what data are is not their path: see `bms_keras.data.contents`
    "data.accept_changes",
)


class Workdir:
    """Paths of a run and its JSON files.

    `config.json`, `checkpoints/`, `tensorboard/`, `samples/` (PNG), `metrics.jsonl`.

    Args:
        path: The folder; made on the first write.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.config_file = self.path / "config.json"
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.samples = self.path / "samples"
        self.metrics_file = self.path / "metrics.jsonl"

    @contextlib.contextmanager
    def claimed(self, config, check=lambda: None):
        """Holds the folder for one run, which no other process may then claim.

        Writes the config of a new run, or checks that it is the one that began this run. The
        operating system lets go of the folder when the process ends, however it ends.

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
            yield
        finally:
            os.close(handle)

    def _write_config(self, config, check):
        config = as_read(config)
        if self.config_file.exists() and (others := differences(self._read(), config)):
            raise BadInput(
                f"{self.path} holds a run of another config ({'; '.join(others)}). "
                "Choose another --workdir, or the same config to go on."
            )
        check()
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
        """Appends a record to `metrics.jsonl`."""
        with self.metrics_file.open("a") as file:
            file.write(json.dumps(record) + "\n")

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


def write_atomically(path, data):
    """Writes bytes to a file whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with scratch.open("xb") as file:  # others may read it, as the umask allows
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
        _sync(path.parent)  # else the new name may be lost with the power
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _lock(handle, path):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(
            f"--workdir={path} is in use: another process trains in it. Wait for it to end, or "
            "choose another folder."
        ) from None


def _sync(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def differences(old, new):
    """What two configs differ in, but for what may change: a list of lines to read."""
    return [
        f"{field}: {a!r} there, {b!r} now"
        for field, a, b in _differing(old, new)
        if not {field, field.split(".")[0]} & {*MAY_CHANGE}
    ]


def _differing(old, new, prefix=""):
    """The fields whose values differ, as (dotted name, old, new)."""
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differing(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}", a, b
