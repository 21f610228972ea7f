"""The fields of a config: one table of what they are at first, what they may be, what they mean.

Beside those here, a network family declares the fields of `config.networks` (`FIELDS` in its
module), a method those of `config.objective` (`RULES` of its class, values in the registry) and,
for each of its players, `PLAYER`; `metrics.Protocol` has its own. A config that lacks a field reads
as if it had the default, so that a run goes on with a newer version of this program than the one
that began it.
"""

import dataclasses
import json

from ml_collections import ConfigDict

from bms_keras import fields, methods, metrics, networks
from bms_keras.distribution import strategies
from bms_keras.errors import BadInput, shown
from bms_keras.fields import Field

JIT_COMPILE = {"auto": "auto", "on": True, "off": False}
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
SECTIONS = ("data", "networks", "objective", "optimizer", "optimizer.players", "protocol")
PLAYERS = "optimizer.players."  # with a player's name, the section of what it has of its own


def _best_by(value):
    best_is, _, name = value.partition(":") if isinstance(value, str) else ("none", "", "")
    return None if value == "" or (best_is in ("max", "min") and name) else _BEST_BY


_BEST_BY = "'', 'max:NAME' or 'min:NAME'"
_steps = fields.integer(1, fields.STEPS)
_seldom = fields.integer(0, fields.STEPS)
_rate = fields.above_0


def _of_all(rule, expected):
    """Of a player: what the rule asks for, or -1 for what holds for all players."""
    return fields.number(lambda value: value == -1 or not rule(value), f"{expected}, or -1")


PLAYER = {  # of `config.optimizer.players.NAME`; -1: as `config.optimizer` has it
    "learning_rate": Field(-1.0, _of_all(_rate, "above 0"), "of this player", may_change=True),
    "beta_1": Field(-1.0, _of_all(fields.momentum, "in [0, 1)"), "of this player's Adam"),
    "beta_2": Field(-1.0, _of_all(fields.momentum, "in [0, 1)"), "of this player's Adam"),
    "final": Field(
        -1.0,
        _of_all(fields.share, "in [0, 1]"),
        "what this player's rate falls to, as a share of it",
        may_change=True,
    ),
}

FIELDS = {
    "method": Field("", fields.text, "a method of the registry"),
    "seed": Field(0, fields.integer(0, 2**32 - 1), "of weights, noise and the order of the data"),
    "steps": Field(100_000, _steps, "steps of training", may_change=True),
    "batch_size": Field(64, fields.integer(1), "data points a turn"),
    "samples": Field(1, fields.integer(1), "T, samples a data point"),
    "gradient": Field(
        "selected", fields.one_of(("selected", "all")), "through which of the T samples it flows"
    ),
    "precision": Field("float32", fields.one_of(PRECISIONS), "in which the networks compute"),
    "ema": Field(
        0.0,
        fields.number(lambda value: not fields.momentum(value), "in [0, 1), 0 for none"),
        "momentum of the averages of R's and G's weights, which then serve",
    ),
    "data.source": Field(
        "",
        fields.text,
        "grid, ring, tfds:NAME, an .npz or a folder of images; what data are is not their path",
        may_change=True,
    ),
    "data.resolution": Field(
        0, fields.integer(0, 2**13), "height and width of the images; 0: as the source has it"
    ),
    "data.channels": Field(
        0, fields.one_of((1, 3, 0), "1, 3, or 0 for the source's"), "of the images"
    ),
    "data.crop": Field(
        0, fields.integer(0, 2**16), "side of the central square that is kept; 0: the largest"
    ),
    "data.held_out": Field(
        0.1, fields.inside, "share kept for the metrics where there is no test split"
    ),
    "data.skip_broken": Field(
        False, fields.boolean, "leave out, and count, files that are no images"
    ),
    "data.background": Field(
        255, fields.integer(0, 255), "grey level that shows through transparent images"
    ),
    "data.accept_changes": Field(
        False, fields.boolean, "go on with other data than a run was trained on", may_change=True
    ),
    "optimizer.learning_rate": Field(2e-4, _rate, "of R and G", may_change=True),
    "optimizer.image_critic_learning_rate": Field(2e-4, _rate, "of D_I", may_change=True),
    "optimizer.latent_critic_learning_rate": Field(2e-4, _rate, "of D_L", may_change=True),
    "optimizer.beta_1": Field(0.0, fields.momentum, "momentum of Adam's gradients"),
    "optimizer.beta_2": Field(0.9, fields.momentum, "momentum of Adam's squares"),
    "optimizer.hold": Field(
        1.0, fields.share, "share of the steps at the full rate; from there it falls linearly"
    ),
    "optimizer.final": Field(
        0.0, fields.share, "what a rate falls to, as a share of it", may_change=True
    ),
    "optimizer.image_critic_final": Field(
        0.0, fields.share, "the share that D_I's rate does not fall below", may_change=True
    ),
    "checkpoint_every": Field(1000, _steps, "steps between checkpoints", may_change=True),
    "keep": Field(3, fields.integer(1), "how many of the last checkpoints", may_change=True),
    "best_by": Field(
        "", _best_by, "max:NAME or min:NAME of what is measured: keeps the best", may_change=True
    ),
    "on_nan": Field(
        "stop",
        fields.one_of(("stop", "rollback")),
        "whether to go back to the last checkpoint, with new noise",
        may_change=True,
    ),
    "max_rollbacks": Field(3, fields.integer(0), "how often to go back", may_change=True),
    "eval_every": Field(0, _seldom, "steps between measurements; 0: none", may_change=True),
    "eval_metrics": Field(
        (), fields.texts, "what is measured in training: modes,latent", may_change=True
    ),
    **{f"protocol.{name}": field for name, field in metrics.FIELDS.items()},
    "strategy": Field(
        "none", fields.one_of(strategies.NAMES), "over which devices", may_change=True
    ),
    "steps_per_execution": Field(1, _steps, "steps in one call of the backend"),
    "jit_compile": Field("auto", fields.one_of(JIT_COMPILE), "whether XLA compiles the step"),
}


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
    table = FIELDS | _of_method(method) | common
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
    parts = (part for text in values["eval_metrics"] for part in text.split(","))
    values["eval_metrics"] = tuple(part for part in parts if part)  # as --metrics takes them
    for name in values["eval_metrics"]:
        metrics.get(name)
    if values["best_by"] and not (values["eval_every"] and values["eval_metrics"]):
        raise BadInput("config.best_by needs config.eval_every and config.eval_metrics")
    return ConfigDict(fields.nested({name: values[name] for name in table}, SECTIONS))


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


def may_change(name):
    """Whether a run may go on with another value of a field, by its dotted name."""
    if name.startswith(PLAYERS):
        return PLAYER[name.rpartition(".")[2]].may_change
    return name in FIELDS and FIELDS[name].may_change


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
    method, family = values.get("method"), values.get("networks.family")
    table = FIELDS | _of_method(method) | _of_family(family)
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
                f"{method!r} with networks of the family {family!r}: misspelt, or that of a newer "
                "version of bms_keras"
            )
    return values, table


def _of_method(name):
    """The fields that a method has of its own, or its own values for."""
    method = methods.get(name)
    own = {f"objective.{key}": field for key, field in method.fields().items()}
    own |= {f"{PLAYERS}{player}.{key}": PLAYER[key] for player in method.players for key in PLAYER}
    return own | {"samples": dataclasses.replace(FIELDS["samples"], default=method.samples or 1)}


def _of_family(name):
    """The fields of the networks of a family."""
    return {f"networks.{key}": field for key, field in networks.fields_of(name).items()}


def _as_list(value):
    return list(value) if isinstance(value, tuple) else value
