"""The table of a config's fields: what they are at first, what they may be, what they mean.

Beside those here, a network family declares the fields of `config.networks` (`FIELDS` in its
module), a method those of `config.objective` (`RULES` of its class, values in the registry) and,
for each of its players, `PLAYER`, a metric those of `config.protocol`, a source of one's own those
of `config.data`.
"""

import dataclasses

from bms_keras import data, fields, methods, metrics, networks
from bms_keras.distribution import strategies
from bms_keras.errors import BadInput, similar
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
    "imports": Field(
        (),
        fields.modules,
        "modules of your own, which register methods, metrics, sources of data or networks",
        may_change=True,
    ),
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
        "grid, ring, tfds:NAME, stacked_mnist:FILE, an .npz or .npy of images or points, a folder "
        "of images; what data are is not their path",
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
    "data.flip": Field(
        False, fields.boolean, "mirror images left to right at random while training"
    ),
    "data.accept_changes": Field(
        False, fields.boolean, "go on with other data than a run was trained on", may_change=True
    ),
    "optimizer.learning_rate": Field(2e-4, _rate, "of R and G", may_change=True),
    "optimizer.image_critic_learning_rate": Field(
        2e-4, _rate, "of D_I, or of VEEGAN's critic of pairs", may_change=True
    ),
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
    "strategy": Field(
        "none", fields.one_of(strategies.NAMES), "over which devices", may_change=True
    ),
    "steps_per_execution": Field(1, _steps, "steps in one call of the backend"),
    "jit_compile": Field("auto", fields.one_of(JIT_COMPILE), "whether XLA compiles the step"),
}


# What people type for a field, by the last part of its name.
WORDS = {
    "T": ("samples",),
    "lr": ("optimizer.learning_rate",),
    "epochs": ("steps",),
    "num_steps": ("steps",),
    "max_steps": ("steps",),
    "train_steps": ("steps",),
    "iterations": ("steps",),
    "batch": ("batch_size",),
    "lambda": ("objective.lambda_",),
    "z_dim": ("networks.latent_dim",),
    "width": ("networks.width", "networks.generator"),
    "image_size": ("data.resolution",),
    "dataset": ("data.source",),
    "path": ("data.source",),
    "folder": ("data.source",),
    "model": ("method",),
    "random_seed": ("seed",),
    "nz": ("networks.latent_dim",),
    "metrics": ("eval_metrics",),
    "save_every": ("checkpoint_every",),
    "device": ("strategy",),
}


def meant(word):
    """The fields that a word may stand for that is none, dotted names.

    Args:
        word: The last part of what was typed.

    Example:

    >>> meant("learning_rate")
    ['optimizer.learning_rate', 'optimizer.players.NAME.learning_rate']
    """
    known = of_all()
    last = {name: name.rpartition(".")[2] for name in known}
    found = [*WORDS.get(word, ()), *(name for name in known if last[name] == word)]
    near = None if found else similar(word, last.values())
    found += [name for name in known if near and last[name] == near]
    return list(dict.fromkeys(found))


def of_all():
    """All fields by dotted name, each as the first method, family or metric has it."""
    tables = [FIELDS, {f"{PLAYERS}NAME.{key}": field for key, field in PLAYER.items()}]
    tables += map(of_family, networks.FAMILIES)
    tables += [
        {f"objective.{key}": field for key, field in method.fields().items()}
        for method in methods.METHODS.values()
    ]
    found = {}
    for name, field in (item for table in (*tables, of_metrics()) for item in table.items()):
        found.setdefault(name, field)
    return found


def table_of(method, family, source):
    """The fields of a config of a method, a family of networks and a source of data.

    Raises:
        BadInput: If one of them does not exist, or does not fit.
    """
    own = of_method(method) | of_family(family) | of_source(source)
    return FIELDS | of_metrics() | own


def may_change(name):
    """Whether a run may go on with another value of a field, by its dotted name."""
    if name.startswith(PLAYERS):
        return PLAYER[name.rpartition(".")[2]].may_change
    table = FIELDS | of_metrics()
    return name in table and table[name].may_change


def of_metrics():
    """The options of all metrics."""
    return {f"protocol.{name}": field for name, field in metrics.options().items()}


def of_method(name):
    """The fields that a method has of its own, or its own values for."""
    method = methods.get(name)
    own = {f"objective.{key}": field for key, field in method.fields().items()}
    own |= {f"{PLAYERS}{player}.{key}": PLAYER[key] for player in method.players for key in PLAYER}
    return own | {"samples": dataclasses.replace(FIELDS["samples"], default=method.samples or 1)}


def of_source(name):
    """The fields that a source of data has of its own.

    Raises:
        BadInput: If one of them is a field of all sources.
    """
    own = {f"data.{key}": field for key, field in data.fields_of(name).items()}
    if taken := FIELDS.keys() & own:
        raise BadInput(f"the source {name!r} may not have a field config.{min(taken)}: all have it")
    return own


def of_family(name):
    """The fields of the networks of a family."""
    return {f"networks.{key}": field for key, field in networks.fields_of(name).items()}
