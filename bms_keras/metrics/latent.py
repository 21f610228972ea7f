"""Latent match: how far the aggregate posterior q(z) is from the prior p(z)."""

import warnings

import numpy as np
from keras import ops
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from bms_keras import objectives
from bms_keras.metrics.metric import Metric

LATENTS = 10_000  # held-out points that the metric takes, at most
LATENT_MATCH = ("latent_auc", "latent_accuracy", "latent_mmd")  # what `latent_match` returns


def latent_match(q, p, seed=0):
    """Tells two samples of latents apart as well as a fresh classifier can.

    A dense network is trained on half of the latents and scored on the other half.

    Args:
        q: Samples of the aggregate posterior, `(n, L)`: one of q(z|x) for each of n data points.
        p: Samples of the prior, `(n, L)`.
        seed: Seed of the classifier.

    Returns:
        Dictionary: `latent_auc` and `latent_accuracy` of the held-out half, 0.5 being a perfect
        match; `latent_mmd`, the (unbiased, squared) maximum mean discrepancy of the first 2,000.
    """
    half = len(q) // 2
    train, test = np.concatenate([q[:half], p[:half]]), np.concatenate([q[half:], p[half:]])
    labels = np.repeat([1, 0], half), np.repeat([1, 0], [len(q) - half, len(p) - half])
    batch = min(250, len(train))
    classifier = MLPClassifier((128, 128), batch_size=batch, max_iter=20, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():  # threads only slow such small layers
        warnings.simplefilter("ignore", ConvergenceWarning)  # 20 epochs are what we ask for
        classifier.fit(train, labels[0])
    score = classifier.predict_proba(test)[:, 1]
    mmd = objectives.mmd(*(ops.convert_to_tensor(z[:2000], "float32") for z in (q, p)))
    return {
        "latent_auc": float(roc_auc_score(labels[1], score)),
        "latent_accuracy": float(np.mean((score > 0.5) == labels[1])),
        "latent_mmd": float(mmd),
    }


def posterior_sample(mean, log_variance, rng):
    """One z ~ q(z|x) for each of n data points, by numpy's noise.

    The published numbers and figures rest on this noise; elsewhere `sample_posterior` draws.

    Args:
        mean, log_variance: The posteriors, `(n, L)` each.
        rng: A numpy `Generator`.

    Returns:
        float64 array `(n, L)`.
    """
    return mean + np.exp(log_variance / 2) * rng.standard_normal(mean.shape)


def log_aggregate_posterior(z, mean, log_variance):
    """log q(z), the mean of q(z|x) over data points, by Monte Carlo.

    Args:
        z: Latents `(n, L)`.
        mean, log_variance: The posteriors of m data points, `(m, L)` each.

    Returns:
        float64 array `(n,)`, in nats.
    """
    mean, log_variance = np.asarray(mean, "float64"), np.asarray(log_variance, "float64")
    precision = np.exp(-log_variance)
    constant = np.sum(mean**2 * precision + log_variance, -1) + z.shape[1] * np.log(2 * np.pi)
    squares = (z**2) @ precision.T - 2 * z @ (mean * precision).T
    return logsumexp(-0.5 * (squares + constant), axis=1) - np.log(len(mean))


def missed_by_posterior(z, mean, log_variance, quantile=0.01):
    """Which samples of the prior the aggregate posterior leaves out (the paper's table 3).

    Those less likely under q(z) than all but a hundredth of the prior's samples are under p(z).
    The threshold depends on the prior alone, so it is common to all methods.

    Args:
        z: Samples of the prior, `(n, L)`.
        mean, log_variance: The posteriors of m data points, `(m, L)` each.
        quantile: The share of the prior that would lie below the threshold if q were p.

    Returns:
        Boolean array `(n,)`.
    """
    prior = np.random.default_rng(0).standard_normal((100_000, z.shape[1]))
    log_p = -0.5 * np.sum(prior**2 + np.log(2 * np.pi), -1)
    return log_aggregate_posterior(z, mean, log_variance) < np.quantile(log_p, quantile)


def _measure(model, data, options):
    """The latent match over data points that training never saw."""
    rng = np.random.default_rng(0)
    q = posterior_sample(*model.encode(data.points(LATENTS)), rng)
    return latent_match(q, rng.standard_normal(q.shape))


# A classifier is trained on one half of the points and scored on the other.
METRIC = Metric(
    _measure,
    lambda data, options: LATENT_MATCH,
    posterior=True,
    points=4,
    titles={"latent_auc": "latent AUC"},
)
