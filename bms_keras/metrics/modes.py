"""Modes and high-quality samples of a 2D mixture, and what these two can hide."""

import numpy as np

from bms_keras import fields
from bms_keras.fields import Field
from bms_keras.metrics.metric import MOST, Metric

SAMPLES = 2500  # of the authors of GDPP and MD-GAN, in their code; the paper does not say
MODE_STATISTICS = (  # what `mode_statistics` returns
    "modes",
    "high_quality_percent",
    "mode_kl",
    "spread_ratio",
    "sliced_wasserstein",
)
PERFECT = {  # of a sampler of the truth itself; its `mode_kl` is 0 but for the samples' number
    "high_quality_percent": 100 * (1 - np.exp(-(3.0**2) / 2)),  # P(r <= 3), r^2 / 2 exponential
    "spread_ratio": 1.0,
}


def mode_statistics(samples, means, std, reference, projections=128, seed=0):
    """Compares samples with a uniform mixture of isotropic Gaussians.

    A sample is of high quality within 3 standard deviations of the nearest mode; a mode is
    captured when at least one such sample is nearest to it (Srivastava et al. 2017; the paper's
    section 4.1 and table 1). A sampler that shrinks its modes scores above the 98.9 % of the
    true distribution, one that drops half of a mode's samples captures it still: hence the rest.

    Args:
        samples: Array `(n, 2)` in the units of `means`.
        means: Array `(modes, 2)`.
        std: The modes' standard deviation.
        reference: Fresh samples of the true mixture, `(n, 2)`.
        projections, seed: Directions of the sliced Wasserstein distance, and their seed.

    Returns:
        Dictionary of numbers: `modes`; `high_quality_percent`; `mode_kl`, the KL divergence in
        nats of the histogram of high-quality samples over the modes from the uniform one (0 is
        perfect; `None` without such samples); `spread_ratio`, the root mean square deviation of
        the high-quality samples from their modes over the same of the truth within 3 standard
        deviations (1 is perfect, less is too narrow; the mean over captured modes);
        `sliced_wasserstein`, in the data's units.
    """
    samples = np.asarray(samples, "float64")
    distances = np.linalg.norm(samples[:, None] - means[None], axis=-1)
    nearest = distances.argmin(1)
    distance = distances.min(1)
    good = distance <= 3 * std
    counts = np.bincount(nearest[good], minlength=len(means))
    squares = np.bincount(nearest[good], distance[good] ** 2, minlength=len(means))
    captured = counts > 0
    spread = np.sqrt(squares[captured] / counts[captured] / 2) / (std * _truncation(3.0))
    return {
        "modes": int(captured.sum()),
        "high_quality_percent": 100 * float(good.mean()),
        "mode_kl": kl_from_uniform(counts) if good.any() else None,
        "spread_ratio": float(spread.mean()) if good.any() else None,
        "sliced_wasserstein": sliced_wasserstein(samples, reference, projections, seed),
    }


def _truncation(radius):
    """Root mean square of a coordinate of a 2D standard normal cut at that radius.

    E[r^2 | r < R] = 2 - R^2 e^(-R^2/2) / (1 - e^(-R^2/2)), r^2 being exponential.
    """
    tail = np.exp(-(radius**2) / 2)
    return np.sqrt(1 - radius**2 * tail / (1 - tail) / 2)


def kl_from_uniform(counts):
    p = counts[counts > 0] / counts.sum()
    return float(np.sum(p * np.log(p * len(counts))))


def sliced_wasserstein(a, b, projections=128, seed=0):
    """Mean over random directions of the 1-Wasserstein distance of the projections.

    Args:
        a, b: Arrays `(n, d)` of the same shape.

    Returns:
        float, in the units of `a` and `b`.
    """
    directions = np.random.default_rng(seed).standard_normal((a.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    sorted_a, sorted_b = (np.sort(points @ directions, axis=0) for points in (a, b))
    return float(np.abs(sorted_a - sorted_b).mean())


def _measure(model, data, options):
    n = options.mode_samples
    samples, reference = model.sample(n, seed=0), data.points(n)
    found = mode_statistics(data.unscaled(samples), data.means, data.std, data.unscaled(reference))
    return found | {"mode_samples": n}


METRIC = Metric(
    _measure,
    lambda data, options: (*MODE_STATISTICS, "mode_samples"),
    options={"mode_samples": Field(SAMPLES, fields.integer(2, MOST), "samples of the modes")},
    kind="mixture",
    instead={"points": "points"},
    constants=("mode_samples",),
    titles={"modes": "modes", "high_quality_percent": "HQ %"},
)
