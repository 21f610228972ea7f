"""Metrics by the name that `eval.py --metrics` takes.

A metric is a function of a model and its data set that returns a dictionary of numbers. It raises
`BadInput` where it does not apply.
"""

import numpy as np

from bms_keras.errors import BadInput, lookup
from bms_keras.metrics.latent import latent_match
from bms_keras.metrics.modes import mode_statistics

SAMPLES_2D = 2500  # section 4.1
LATENTS = 10_000


def modes(model, data, seed=0):
    """Modes, high quality and what they hide, on 2,500 samples. See `mode_statistics`."""
    if not hasattr(data, "means"):
        raise BadInput("the metric 'modes' needs data with known modes: grid or ring")
    samples = data.unscaled(model.sample(SAMPLES_2D, seed=seed))
    reference = data.unscaled(data.points(SAMPLES_2D))
    return mode_statistics(samples, data.means, data.std, reference)


def latent(model, data, seed=0):
    """The latent match over 10,000 data points that training never saw. See `latent_match`."""
    if "recognition" not in model.networks:
        raise BadInput("the metric 'latent' needs a method with a recognition network")
    rng = np.random.default_rng(seed)
    mean, log_variance = model.encode(data.points(LATENTS))
    q = mean + np.exp(0.5 * log_variance) * rng.standard_normal(mean.shape)
    return latent_match(q, rng.standard_normal(mean.shape), seed)


METRICS = {"modes": modes, "latent": latent}


def get(name):
    """The metric of that name.

    Raises:
        BadInput: If there is none.
    """
    return lookup(METRICS, name, "a metric")


def applicable(model, data):
    """The names of the metrics that apply to a method and its data."""
    has = {"modes": hasattr(data, "means"), "latent": "recognition" in model.networks}
    return [name for name in METRICS if has[name]]
