"""The folder of a run: what lies where, and what may not be overwritten."""

import json
import os
import pathlib
import tempfile

from ml_collections import ConfigDict

from bms_keras.errors import BadInput

MAY_CHANGE = ("steps", "checkpoint_every", "eval_every", "eval_metrics", "protocol")  # later on


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

    def claim(self, config):
        """Writes the config of a new run, or checks that it is the one that began this run.

        Raises:
            BadInput: If the folder holds a run of another config; the line names the fields.
        """
        config = json.loads(json.dumps(config.to_dict()))  # as it reads back: tuples are lists
        if self.config_file.exists():
            differences = [
                f"{field}: {old!r} there, {new!r} now"
                for field, old, new in _differences(self._read(), config)
                if field.split(".")[0] not in MAY_CHANGE
            ]
            if differences:
                raise BadInput(
                    f"{self.path} holds a run of another config ({'; '.join(differences)}). "
                    "Choose another --workdir, or the same config to go on."
                )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
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
            return json.loads(self.config_file.read_text())
        except ValueError as error:
            raise BadInput(f"{self.config_file} is not JSON: {error}") from None


def write_atomically(path, data):
    """Writes bytes to a file whole or not at all."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        pathlib.Path(scratch).unlink(missing_ok=True)
        raise


def _differences(old, new, prefix=""):
    """The fields whose values differ, as (dotted name, old, new)."""
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}", a, b
