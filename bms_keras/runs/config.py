"""Configs: made for a file in `configs/`, completed and checked, compared with that of a run.

What a field is stands in `schema`. A config that lacks a field reads as if it had the default, so
that a run goes on with a newer version of this program than the one that began it.
"""

import json

from ml_collections import ConfigDict

from bms_keras import fields, methods, metrics, networks
from bms_keras.errors import BadInput, shown
from bms_keras.files import modules
from bms_keras.runs.schema import (
    FIELDS,
    PLAYER,
    PLAYERS,
    SECTIONS,
    may_change,
    of_method,
    of_metrics,
    table_of,
)


def default_config(method, **objective):
    """The fields that every config has, for a file in `configs/` to fill in.

    Args:
        method: Name in the registry.
        **objective: What a data set asks of the objective; fields that the method lacks are
            left out.

    Raises:
        BadInput: If the method is unknown.
    """
    common = {f"networks.{name}": field for name, field in networks.COMMON.items()}
    table = FIELDS | of_metrics() | of_method(method) | common
    values = {name: field.default for name, field in table.items()}
    known = {f"objective.{name}": value for name, value in objective.items()}
    values |= {name: value for name, value in known.items() if name in table}
    return ConfigDict(fields.nested(values | {"method": method}, SECTIONS))


def complete(config):
    """A config with all its fields, after a check of everything that needs neither data nor model.

    Args:
        config: A `ConfigDict`, or a dictionary as `config.json` holds it. What it lacks is at its
            default.

    Returns:
        A new `ConfigDict`.

    Raises:
        BadInput: Naming the field, what was received and what would be right.
    """
    values, table = _values_and_table(config)
    for name, field in table.items():
        fields.check(f"config.{name}", values.setdefault(name, field.absent), field)
        if type(field.default) is float:
            values[name] = float(values[name])  # an integer will do, but not everywhere in Keras
    for name in ("imports", "eval_metrics"):  # as --metrics takes them
        values[name] = tuple(part for text in values[name] for part in text.split(",") if part)
    for name in values["eval_metrics"]:
        metrics.get(name)
    if values["best_by"] and not (values["eval_every"] and values["eval_metrics"]):
        raise BadInput("config.best_by needs config.eval_every and config.eval_metrics")
    return ConfigDict(fields.nested({name: values[name] for name in table}, SECTIONS))


def import_parts(values):
    """Imports the modules that a config names.

    Args:
        values: A dictionary that may hold "imports".

    Raises:
        BadInput: If that holds no names of modules, or if one cannot be imported.
    """
    names = values.get("imports", ())
    fields.check("config.imports", names, FIELDS["imports"])
    modules.load(names)


def changes(old, new):
    """What two configs differ in.

    Args:
        old, new: As `complete` takes them; what one lacks is at its default.

    Returns:
        Dictionary from a dotted name to a pair of values, the old one and the new.

    Raises:
        BadInput: If one has a field that is not known.
    """
    (a, there), (b, here) = map(_values_and_table, (old, new))
    found = {}
    for name in sorted({*there, *here}):
        pair = [
            _as_list(values.get(name, table[name].absent)) if name in table else None
            for values, table in ((a, there), (b, here))
        ]
        if pair[0] != pair[1]:
            found[name] = tuple(pair)
    return found


def differences(old, new):
    """What two configs differ in, but for what may change: a list of lines to read."""
    return [
        f"{name}: {shown(a)} there, {shown(b)} now"
        for name, (a, b) in changes(old, new).items()
        if not may_change(name)
    ]


def as_read(config):
    """A config as it reads back from a file, a dictionary: its tuples are lists."""
    return json.loads(config.to_json())


def hyperparameters(config):
    """The fields that make a run what it is, flat, as TensorBoard's HParams page takes them.

    Args:
        config: A `ConfigDict`.

    Returns:
        Dictionary from a dotted name to a boolean, a number or a string: a list is its JSON.

    Example:

    >>> hyperparameters(config)["optimizer.learning_rate"]
    0.003
    """
    shape_it = lambda name: name == "steps" or name.startswith("optimizer.")  # noqa: E731
    values = fields.flat(as_read(config), SECTIONS)
    return {
        name: json.dumps(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None and (shape_it(name) or not may_change(name))
    }


def _values_and_table(config):
    """The values of a config, flat by dotted name, and the fields that it may have."""
    if isinstance(config, dict):
        values = config
    elif hasattr(config, "to_dict"):  # or it says why `--config` could not be read
        values = config.to_dict()
    else:
        raise BadInput(f"a config must hold fields. Received: {shown(config)}")
    values = fields.flat(values, SECTIONS)
    import_parts(values)  # before anything is looked up
    method, family = values.get("method"), values.get("networks.family")
    table = table_of(method, family, values.get("data.source"))
    for name in values:
        if name not in table and name.startswith(PLAYERS):
            raise BadInput(
                f"config.{PLAYERS}NAME has {', '.join(PLAYER)}, and the players of the method "
                f"{method!r} are {', '.join(methods.get(method).players)}. "
                f"Received: {shown(name)[1:-1]}"
            )
        if name not in table:
            raise BadInput(
                f"config.{shown(name)[1:-1]} is no field of a config of the method "
                f"{method!r} with networks of the family {family!r}: misspelt, that of a newer "
                "version of bms_keras, or of a module that config.imports lacks"
            )
    return values, table


def _as_list(value):
    return list(value) if isinstance(value, tuple) else value
