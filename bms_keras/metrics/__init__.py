"""Metrics by the name that `eval.py --metrics` takes: one file each, which ends in its `METRIC`.

A metric is a function of a model, its data set and its options that returns a dictionary of
numbers. The options of all metrics are the fields of `config.protocol`, and flags of `eval.py`.
"""

import dataclasses
import types

import numpy as np

from bms_keras import fields
from bms_keras.errors import OWN, BadInput, enter, lookup, shown, warn
from bms_keras.metrics import authenticity, ivom, latent, lpips, modes, points, prdc, stacked_mnist
from bms_keras.metrics.comparison import compare, fid, kid, precision_recall
from bms_keras.metrics.fid import METRIC as FID
from bms_keras.metrics.metric import Metric

__all__ = [
    "METRICS",
    "Metric",
    "Protocol",
    "applicable",
    "compare",
    "fid",
    "findings",
    "get",
    "in_training",
    "kid",
    "measure",
    "options",
    "precision_recall",
    "prepare",
    "refuse",
    "register",
]

METRICS = {
    "modes": modes.METRIC,
    "points": points.METRIC,
    "latent": latent.METRIC,
    "fid": FID,
    "prdc": prdc.METRIC,
    "authenticity": authenticity.METRIC,
    "ivom": ivom.METRIC,
    "lpips": lpips.METRIC,
    "stacked_mnist": stacked_mnist.METRIC,
}
RECORD = (  # beside the numbers
    *("method", "samples", "seed", "step", "measured", "protocol"),
    *("sampler", "sampler_points", "obstacle"),
)


def register(name, metric):
    """Adds a metric of one's own, to measure by its name.

    Args:
        name: Its name; one that is taken is replaced.
        metric: A `Metric`.

    Raises:
        BadInput: If the name is none, or if another metric has an option of the same name with
            another default, rule or meaning.

    Example:

    >>> register("width", Metric(lambda model, data, options: {"width": model.sample(9).std()}))
    """
    for option, field in metric.options.items():
        for other, each in METRICS.items():
            if other != name and each.options.get(option, field) != field:
                raise BadInput(
                    f"the metric {name!r} may not have the option {option!r}: the metric "
                    f"{other!r} has another of that name"
                )
    enter(METRICS, name, metric, "a metric")


def options():
    """The options of all metrics, a `Field` by name; a run may go on with other ones."""
    found = {name: field for each in METRICS.values() for name, field in each.options.items()}
    return {name: dataclasses.replace(field, may_change=True) for name, field in found.items()}


class Protocol(types.SimpleNamespace):
    """How much is measured, and by which networks: the options of all metrics, as attributes.

    Args:
        **values: Those that are not at their default.

    Raises:
        BadInput: If no metric has such an option, or a value does not fit.

    Example:

    >>> Protocol(generated=100).generated
    100
    """

    def __init__(self, **values):
        known = options()
        for name, value in values.items():
            fields.check(name, value, lookup(known, name, "an option of a metric"))
        super().__init__(**({name: field.default for name, field in known.items()} | values))


def get(name):
    """The metric of that name.

    Raises:
        BadInput: If there is none.
    """
    return lookup(METRICS, name, "a metric", OWN)


def applicable(model, data, names=None):
    """Those of the metrics that apply to a method, a `Game` or its class, and to its data.

    Args:
        model, data: A `Game`, or its class, and a data set.
        names: Names of metrics; `None` for all there are.

    Returns:
        List of names.

    Raises:
        BadInput: If there is no metric of a name.
    """
    names = METRICS if names is None else names
    return [name for name in names if get(name).obstacle(model, data) is None]


def measure(names, model, data, protocol):
    """Measures a model.

    Args:
        names: Names of metrics.
        model, data: A `Game` and its data set.
        protocol: A `Protocol`.

    Returns:
        Dictionary of numbers, Python's own.

    Raises:
        BadInput: If a metric does not exist, does not apply, or returns something else.
    """
    refuse(names, model, data)
    record = {}
    for name in names:
        found = get(name).function(model, data, protocol)
        if not isinstance(found, dict):
            raise BadInput(
                f"the metric {name!r} must return a dictionary. Received: {shown(found)}"
            )
        record |= {key: _number(name, key, value) for key, value in found.items()}
    return record


def _number(metric, key, value):
    """A number that a metric returned, numpy's or a tensor's too, as JSON takes it."""
    if key in RECORD:
        raise BadInput(f"the metric {metric!r} may not call a number {key!r}: a record has that")
    if value is None or type(value) in (int, float):
        return value
    try:
        array = np.asarray(value)
        return int(array) if array.dtype.kind in "iub" else float(array)
    except (TypeError, ValueError):
        raise BadInput(
            f"the metric {metric!r} must return numbers. Received: {key}={shown(value)}"
        ) from None


def findings(numbers):
    """The numbers of a dictionary without those that say how they were measured."""
    constants = {name for metric in METRICS.values() for name in metric.constants}
    return {name: value for name, value in numbers.items() if name not in constants}


def prepare(config, model, data):
    """Checks and fetches what `config.eval_metrics` need, so that nothing is found out too late.

    Args:
        config: A `ConfigDict`.
        model, data: A `Game` and its data set.

    Returns:
        List of the names of the numbers that they find.

    Raises:
        BadInput: If a metric does not apply, if what it needs cannot be had, or if
            `config.best_by` names none of the numbers.
    """
    names, protocol = in_training(config, data), config.protocol  # which has all options
    refuse(names, model, data)
    for asked, name in zip(config.eval_metrics, names, strict=True):
        if asked != name:
            warn(
                f"the metric {name!r} is measured, as {asked!r} {get(asked).obstacle(model, data)}"
            )
    for name in names:
        get(name).fetch(data, protocol)
    keys = [key for name in names for key in get(name).keys(data, protocol)]
    keys = list(findings(dict.fromkeys(keys)))
    _, _, best_by = config.best_by.partition(":")
    if best_by and best_by not in keys:
        raise BadInput(
            "config.best_by must name a number that config.eval_metrics measures, one of "
            f"{', '.join(keys)}. Received: {best_by!r}"
        )
    return keys


def in_training(config, data):
    """The metrics that are measured in training: `config.eval_metrics`, of which those for other
    data give way to what they name for these (`Metric.instead`)."""
    return [get(name).instead.get(data.kind, name) for name in config.eval_metrics]


def refuse(names, model, data):
    """Refuses metrics that do not exist or do not apply, before anything is measured or written.

    Raises:
        BadInput: Naming the metric and what it needs.
    """
    for name in names:
        if obstacle := get(name).obstacle(model, data):
            raise BadInput(f"the metric {name!r} {obstacle}")
