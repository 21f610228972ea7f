"""Metrics by the name that `eval.py --metrics` takes.

A metric is a function of a model, its data set and the protocol that returns a dictionary of
numbers, whose keys name the protocol.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from bms_keras import fields
from bms_keras.errors import BadInput, lookup
from bms_keras.fields import Field
from bms_keras.metrics import feature_networks, fid, ivom, lpips
from bms_keras.metrics.latent import LATENT_MATCH, latent_match
from bms_keras.metrics.modes import MODE_STATISTICS, SAMPLES, mode_statistics

LATENTS = 10_000


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How much is measured, and by which networks: the fields of `config.protocol`.

    Args:
        real: Held-out images of the FID; all there are, where there are fewer.
        generated: Samples of the FID and of LPIPS.
        ivom_images: Held-out images whose closest sample is looked for.
        inception: Path of an `.npz` of the FID's network, "tfhub" for TF-GAN's own, or empty for
            the one that the package index holds.
        lpips: Network of LPIPS, "alexnet" or "vgg16", or the path of an `.npz` named so.
    """

    real: int = 10_000
    generated: int = 5_000
    ivom_images: int = 100
    inception: str = ""
    lpips: str = "alexnet"


MOST = 10**7  # samples or images that are measured
_RULES = {
    "real": (fields.integer(2, MOST), "held-out images of the FID"),
    "generated": (fields.integer(2, MOST), "samples of FID and LPIPS"),
    "ivom_images": (fields.integer(2, MOST), "held-out images whose closest sample is looked for"),
    "inception": (fields.text, "an .npz of the FID's network, tfhub, or '' for the usual one"),
    "lpips": (fields.text, "alexnet, vgg16, or an .npz named so"),
}
FIELDS = {
    part.name: Field(part.default, *_RULES[part.name], may_change=True)
    for part in dataclasses.fields(Protocol)
}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric and what it needs.

    Args:
        function: Takes a model, a data set and a `Protocol`; returns a dictionary of numbers.
        keys: Takes a data set and a `Protocol`; returns the names of those numbers.
        kind: The kind of data that it needs; `None` for any.
        posterior: Whether it needs a recognition network.
        points: How many held-out points it needs.
        fetch: Takes a data set and a `Protocol`; fetches and checks what else it needs.
    """

    function: Callable
    keys: Callable = lambda data, protocol: ()
    kind: str | None = None
    posterior: bool = False
    points: int = 1
    fetch: Callable = lambda data, protocol: None

    def obstacle(self, model, data):
        """Why it does not apply, or `None`."""
        if self.kind not in (None, data.kind):
            return f"needs data of the kind {self.kind!r}; this is {data.kind!r}"
        if self.posterior and "recognition" not in model.networks:
            return "needs a method with a recognition network"
        if (found := len(data.points(self.points))) < self.points:
            return f"needs at least {self.points} held-out points. Received: {found}"
        return None


def _modes(model, data, protocol):
    samples = data.unscaled(model.sample(SAMPLES, seed=0))
    reference = data.unscaled(data.points(SAMPLES))
    return mode_statistics(samples, data.means, data.std, reference)


def _latent(model, data, protocol):
    """The latent match over data points that training never saw."""
    x = data.points(LATENTS)
    rng = np.random.default_rng(0)
    mean, log_variance = model.encode(x)
    q = mean + np.exp(0.5 * log_variance) * rng.standard_normal(mean.shape)
    return latent_match(q, rng.standard_normal(mean.shape))


def _fid(model, data, protocol):
    network = feature_networks.network(protocol.inception)
    return fid.fid(model, data, protocol.real, protocol.generated, network)


def _ivom(model, data, protocol):
    return ivom.ivom(model, data, protocol.ivom_images)


def _lpips(model, data, protocol):
    return lpips.lpips(model, data, protocol.lpips, protocol.generated)


def _fid_keys(data, protocol):
    return fid.keys(min(protocol.real, len(data.test)), protocol.generated, protocol.inception)


METRICS = {
    "modes": Metric(_modes, lambda *_: MODE_STATISTICS, kind="mixture"),
    # A classifier is trained on one half of the points and scored on the other.
    "latent": Metric(_latent, lambda *_: LATENT_MATCH, posterior=True, points=4),
    "fid": Metric(
        _fid,
        _fid_keys,
        kind="images",
        points=2,
        fetch=lambda _, protocol: feature_networks.network(protocol.inception),
    ),
    "ivom": Metric(_ivom, lambda *_: ivom.KEYS, kind="images", points=2),
    "lpips": Metric(
        _lpips,
        lambda _, protocol: lpips.keys(protocol.generated, protocol.lpips),
        kind="images",
        points=4,
        fetch=lambda data, protocol: lpips.prepare(data, protocol.generated, protocol.lpips),
    ),
}


def get(name):
    """The metric of that name.

    Raises:
        BadInput: If there is none.
    """
    return lookup(METRICS, name, "a metric")


def applicable(model, data):
    """The names of the metrics that apply to a method and its data."""
    return [name for name, metric in METRICS.items() if metric.obstacle(model, data) is None]


def measure(names, model, data, protocol):
    """Measures a model.

    Args:
        names: Names of metrics.
        model, data: A `Game` and its data set.
        protocol: A `Protocol`.

    Returns:
        Dictionary of numbers.

    Raises:
        BadInput: If a metric does not exist, or does not apply.
    """
    refuse(names, model, data)
    record = {}
    for name in names:
        record |= get(name).function(model, data, protocol)
    return record


def prepare(config, model, data):
    """Checks and fetches what `config.eval_metrics` need, so that nothing is found out too late.

    Args:
        config: A `ConfigDict`.
        model, data: A `Game` and its data set.

    Returns:
        List of the names of the numbers that they give.

    Raises:
        BadInput: If a metric does not apply, if what it needs cannot be had, or if
            `config.best_by` names none of the numbers.
    """
    names, protocol = config.eval_metrics, config.protocol
    refuse(names, model, data)
    for name in names:
        get(name).fetch(data, protocol)
    keys = [key for name in names for key in get(name).keys(data, protocol)]
    _, _, best_by = config.best_by.partition(":")
    if best_by and best_by not in keys:
        raise BadInput(
            "config.best_by must name a number that config.eval_metrics measures, one of "
            f"{', '.join(keys)}. Received: {best_by!r}"
        )
    return keys


def refuse(names, model, data):
    """Refuses metrics that do not exist or do not apply, before anything is measured or written.

    Raises:
        BadInput: Naming the metric and what it needs.
    """
    for name in names:
        if obstacle := get(name).obstacle(model, data):
            raise BadInput(f"the metric {name!r} {obstacle}")
