"""Frechet and kernel Inception distance: how far generated images are from real ones.

FID (Heusel et al. 2017, https://arxiv.org/abs/1706.08500) compares the means and covariances of
the features of an image network, KID (Binkowski et al. 2018, https://arxiv.org/abs/1801.01401)
the features by a polynomial kernel. Both depend on the protocol: the network, the number of
images and the split stand in every key.
"""

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from bms_keras.errors import warn_once
from bms_keras.metrics import features, tfgan

SUBSET = 1000  # features of each side in a subset of KID's


def fid_and_kid(x, y, seed=0):
    """The two distances of the features of real images and of generated ones.

    Args:
        x, y: Arrays `(n, d)` and `(m, d)`.
        seed: Integer seed of KID's subsets.

    Returns:
        Two floats.
    """
    warn_of_few(len(x), len(y), x.shape[1])
    warn_of_scatter(len(x), len(y))
    return frechet_distance(Moments().add(x), Moments().add(y)), kid(x, y, seed=seed)[0]


def warn_of_few(real, generated, d):
    """Says, once, that an FID of so few images means little.

    The covariance of n features of d numbers has the rank n - 1 at most: up to n = d it is
    singular, and the FID is that of a few directions, biased upward by tens of points.
    """
    if min(real, generated) <= d:
        warn_once(
            f"FID of {min(real, generated)} images is far too high: of up to {d} the covariance of "
            f"{d} features is singular. Compare equal counts only, or KID, which has no such bias"
        )


def warn_of_scatter(real, generated):
    """Says, once, that a KID of so few images is a matter of chance."""
    if min(real, generated) < SUBSET:
        warn_once(
            f"KID of {min(real, generated)} images has no bias, but differs much from one sample "
            f"of images to the next: {SUBSET} a side and more tell small differences"
        )


class Moments:
    """Mean and covariance of features that come in parts, in float64.

    Parts are centred before they are squared, so nothing cancels (Chan et al. 1983).

    Attributes:
        n: Number of features seen.
        mean: float64 array `(d,)`.
    """

    def __init__(self):
        self.n, self.mean, self._scatter = 0, 0.0, 0.0

    def add(self, features):
        """Adds features `(n, d)`; returns itself."""
        part = Moments()
        features = np.asarray(features, "float64")
        if len(features):
            part.n, part.mean = len(features), features.mean(0)
            features = features - part.mean
            part._scatter = features.T @ features
        return self.merge(part)

    def merge(self, other):
        """Adds what another one has seen; returns itself."""
        n = self.n + other.n
        if other.n:
            step = other.mean - self.mean
            self._scatter = self._scatter + other._scatter
            self._scatter += np.outer(step, step) * (self.n * other.n / n)
            self.mean = self.mean + step * (other.n / n)
        self.n = n
        return self

    @property
    def cov(self):
        """The unbiased covariance, float64 `(d, d)`.

        Raises:
            ValueError: If fewer than two features were seen.
        """
        if self.n < 2:
            raise ValueError(f"a covariance needs at least two features. Received: {self.n}")
        return self._scatter / (self.n - 1)


def frechet_distance(a, b):
    """Squared Frechet distance of two Gaussians: |m - m'|^2 + Tr(C + C' - 2 (C C')^(1/2)).

    Args:
        a, b: `Moments` of features of one dimension.

    Returns:
        float; 0 for equal moments, up to rounding.
    """
    cov_a, cov_b = a.cov, b.cov
    with threadpool_limits(1):  # these solvers' threads wait for each other most of the time
        values, vectors = _positive(*scipy.linalg.eigh(cov_a, driver="evd"))
        root = vectors * np.sqrt(values)  # cov_a = root root', so C C' has the eigenvalues of
        (product,) = _positive(scipy.linalg.eigvalsh(root.T @ cov_b @ root))
    trace = np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(product).sum()
    return float(np.sum((a.mean - b.mean) ** 2) + trace)


def _positive(values, *vectors):
    """Eigenvalues without those that are zero up to rounding, whose roots would add up to 1e-4."""
    keep = values > values.max(initial=0) * len(values) * np.finfo(values.dtype).eps
    return values[keep], *(v[:, keep] for v in vectors)


def tfgan_frechet_distance(x, y):
    """The Frechet distance of features as TF-GAN computes it, in float64 too, but slower.

    Args:
        x, y: Arrays `(n, d)` and `(m, d)`.

    Returns:
        float.

    Raises:
        BadInput: If TF-GAN is not installed.
    """
    distance = tfgan.module("classifier_metrics").frechet_classifier_distance_from_activations
    return float(distance(np.asarray(x, "float64"), np.asarray(y, "float64")))


def kid(x, y, subsets=100, subset_size=SUBSET, seed=0):
    """Squared maximum mean discrepancy of features, unbiased; kernel (x.y / d + 1)^3.

    Args:
        x, y: Arrays `(n, d)` and `(m, d)`.
        subsets: How many subsets to average over.
        subset_size: How many features of each side a subset has; at most n and m.
        seed: Integer seed of the subsets.

    Returns:
        Mean and standard deviation over the subsets, two floats.

    Raises:
        ValueError: If a side has fewer than two features.
    """
    size = min(subset_size, len(x), len(y))
    if size < 2:
        raise ValueError(f"KID needs at least two features. Received: {len(x)} and {len(y)}")
    rng = np.random.default_rng(seed)
    draw = lambda z: z[rng.choice(len(z), size, replace=False)]  # noqa: E731
    with threadpool_limits(1):  # as for the eigenvalues
        values = [_unbiased_mmd(draw(x), draw(y)) for _ in range(subsets)]
    return float(np.mean(values)), float(np.std(values))


def _unbiased_mmd(x, y):
    n = len(x)
    within, across = [_gram(x, x), _gram(y, y)], _gram(x, y)
    sums = [k.sum(dtype="float64") - np.trace(k, dtype="float64") for k in within]
    return sum(sums) / (n * (n - 1)) - 2 * across.mean(dtype="float64")


def _gram(x, y):
    k = x @ y.T / x.shape[1] + 1
    return k * k * k  # `k**3` takes ten times as long


METRIC = features.metric(
    lambda x, y, options: fid_and_kid(x, y), ("fid", "kid"), points=2, titles={"fid": "FID"}
)
