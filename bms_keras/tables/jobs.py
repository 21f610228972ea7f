"""A run of a table: its config, what is measured of it, and what is left to do."""

import ast
import dataclasses
import importlib
import json

from bms_keras import data, files, methods, metrics, sampling
from bms_keras.errors import BadInput
from bms_keras.runs import checkpoint, evaluation, training
from bms_keras.runs.config import as_read, complete, differences, import_parts
from bms_keras.runs.workdir import Workdir

PRIOR = "none"  # of `--samplers`: G(z) as it is


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run, and how it is measured.

    Args:
        folder: Its workdir.
        config, method, fields: See `registry.Row`.
        metrics: Names of metrics; those that do not apply to the method or its data are left out.
        samplers: What draws the samples that are measured, one after the other: `PRIOR`, or names
            in `sampling.SAMPLERS`.
        points: Data points that a sampler is fitted to.
        options: Options of the metrics, in place of the config's, which stays as it is.
    """

    folder: str
    config: str
    method: str
    fields: dict
    metrics: tuple[str, ...]
    samplers: tuple[str, ...] = (PRIOR,)
    points: int = 10_000
    options: dict = dataclasses.field(default_factory=dict)

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

    def obstacle(self, sampler):
        """Why a sampler does not apply to the method, or `None`."""
        pack = self.full_config().objective.get("pack", 1)
        networks = methods.get(self.method).networks
        return None if sampler == PRIOR else sampling.obstacle(sampler, networks, pack)

    def records(self):
        """What was measured of the finished run, by sampler; of one that does not apply, why.

        Returns:
            Dictionary by the samplers' names. A record is `None` while there is something to do.
        """
        found = {}
        for sampler in self.samplers:
            reason = self.obstacle(sampler)
            absent = reason and self._absent(reason) | {"sampler": sampler}
            found[sampler] = absent or self.record(sampler)
        return found

    def _absent(self, reason):
        """A record of that there is no number, and why."""
        config = self.full_config()
        about = {name: config[name] for name in ("method", "samples", "seed")}
        return about | {"step": config.steps, "obstacle": reason}

    def record(self, sampler=PRIOR):
        """What was measured by a sampler, or `None` while there is something to do."""
        folder, config = Workdir(self.folder), self.full_config()
        if not folder.config_file.exists():
            return None
        there, here = folder.config().to_dict(), as_read(config)
        if differences(there, here) or any(
            there[part] != here[part] for part in ("data", "protocol")
        ):
            return None  # training refuses the one; of the others it decides, or measures anew
        asked = {"step": config.steps} | self._how(sampler)
        for record in reversed(folder.records()):
            if {name: record.get(name) for name in asked} == asked and self._measured(record):
                return record
        return None

    def _how(self, sampler):
        """By what a record says how it was measured."""
        points = None if sampler == PRIOR else self.points
        options = json.loads(json.dumps(self.options)) or None  # as a record has them
        name = None if sampler == PRIOR else sampler
        return {"sampler": name, "sampler_points": points, "protocol": options}

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
        """Trains to the end, or until a signal asks to stop, and then measures what is missing.

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
            for sampler in [name for name, record in self.records().items() if record is None]:
                self._measure(names, sampler)

    def _measure(self, names, sampler):
        """Measures by a sampler; that it cannot draw is a finding, which its record keeps."""
        how = {"sampler": None if sampler == PRIOR else sampler, "sampler_points": self.points}
        how["pictures"] = sampler == PRIOR  # those of G(z), by any sampler
        try:
            evaluation.evaluate(self.folder, names, **how, **self.options)
        except sampling.CannotDraw as error:
            record = self._absent(str(error)) | {"measured": list(names)}
            Workdir(self.folder).log(record | self._how(sampler))


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


def job(folder, row, fields, seed, names, **how):
    """The run of a row for a seed.

    Args:
        folder: Where the workdirs of all runs are.
        row: A `registry.Row`.
        fields: Fields set for all rows; the row's own come before them.
        seed: Integer.
        names: Names of metrics.
        **how: `samplers`, `points` and `options` of the `Job`.
    """
    fields = {**fields, **row.fields, "seed": seed}
    path = str(files.expanded(folder) / f"{row.name}_{seed}")
    return Job(path, row.config, row.method, fields, tuple(names), **how)


def _value(config, name):
    """The value of a config's field by its dotted name."""
    for part in name.split("."):
        config = config[part]
    return config


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
