"""Frechet and kernel Inception distance: how far generated images are from real ones.

FID (Heusel et al. 2017, https://arxiv.org/abs/1706.08500) compares the means and covariances of
the features of an image network, KID (Binkowski et al. 2018, https://arxiv.org/abs/1801.01401)
the features by a polynomial kernel. Both depend on the protocol: the network, the number of
images and the split stand in every key.
"""

import hashlib
import sys
import time

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from bms_keras import fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.files import cache
from bms_keras.metrics import feature_networks, inception, tfgan
from bms_keras.metrics.metric import MOST, Metric
from bms_keras.metrics.samples import GENERATED, drawn

CHUNK = 1000  # generated images in memory at a time


def fid(model, data, real=10_000, generated=5_000, network=None, seed=0):
    """FID and KID of a model's samples against held-out images.

    Args:
        model: What has `sample(n, seed=)`.
        data: What has `images(n, split=)` and `fingerprint`. The features of its images are cached.
        real, generated: Numbers of images; the real ones may be fewer, and the key says how many.
        network: An `Inception` (the default, with weights fetched on first use) or what has its
            `features`, `name` and `fingerprint`.
        seed: Integer seed of the samples and of KID's subsets.

    Returns:
        Dictionary of two floats, `fid_<real>_<generated>_test` and `kid_<real>_<generated>_test`;
        with a network of one's own, `fid_<network.name>_<real>_<generated>_test` and so on.

    Raises:
        BadInput: If there are fewer than two images on a side, the model's samples are not finite,
            the network's weights cannot be had, or what it makes of images is not finite.
    """
    network = network or feature_networks.network()
    x = _finite(_real_features(network, data, real), "held-out images", network)
    if min(len(x), generated) < 2:
        raise BadInput(
            "FID needs at least two images on each side. "
            f"Received: {len(x)} held-out, {generated} generated"
        )
    y = _finite(_generated_features(network, model, generated, seed), "samples", network)
    names = _names(len(x), generated, network)
    distances = frechet_distance(Moments().add(x), Moments().add(y)), kid(x, y, seed=seed)[0]
    return dict(zip(names, distances, strict=True))


def keys(real, generated, source=""):
    """The names of what `fid` returns.

    Args:
        real, generated: Numbers of images.
        source: The network's, as `feature_networks.network` takes it.
    """
    return _names(real, generated, feature_networks.kind(source))


def _names(real, generated, network):
    own = "" if network.name == inception.Inception.name else f"{network.name}_"
    protocol = f"{own}{real}_{generated}_test"
    return f"fid_{protocol}", f"kid_{protocol}"


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


def kid(x, y, subsets=100, subset_size=1000, seed=0):
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


def _real_features(network, data, n, split="test"):
    """The features of a sample of n images of a split, from the cache if they are there."""
    folder = cache.subfolder("statistics")
    images = data.images(n, split=split)
    key = f"{network.fingerprint} {data.fingerprint} {split} {len(images)}"
    file = folder / f"{network.name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    try:
        features = cache.load(file).get("features")
        if features is not None and len(features) == len(images):
            return features
    except BadInput:  # missing or damaged: made (again) below
        pass
    progress = _Progress("features of real images", len(images))
    features = network.features(images, progress=progress)
    try:
        cache.save(file, {"features": features})
    except BadInput as error:  # they cost minutes, but are there
        print(f"features of real images are not kept: {error}", file=sys.stderr, flush=True)
    return features


def _finite(features, whose, network):
    """Features as they are, unless they are not finite: their distance would be NaN, or even 0."""
    if not np.isfinite(features).all():
        raise BadInput(
            f"the features of {whose} are not finite: the weights of {network.name} are not those "
            "of a network that was trained"
        )
    return features


def _generated_features(network, model, n, seed):
    progress = _Progress("features of generated images", n)
    parts = []
    for start in range(0, n, CHUNK):
        images = drawn(model, min(CHUNK, n - start), [seed, start])
        parts.append(network.features(images, progress=progress.after(start)))
    return np.concatenate(parts)


class _Progress:
    """Says on stderr how many images are done, every ten seconds; silent about what is quick."""

    def __init__(self, label, total):
        self.label, self.total = label, total
        self.began = self.said = time.monotonic()

    def __call__(self, done):
        now = time.monotonic()
        if now - self.said >= 10:
            self.said = now
            rate = f"{done / (now - self.began):.1f} a second"
            print(f"{self.label}: {done} of {self.total}, {rate}", file=sys.stderr, flush=True)

    def after(self, start):
        """The same for the images from `start` on."""
        return lambda done: self(start + done)


def _measure(model, data, options):
    network = feature_networks.network(options.inception)
    return fid(model, data, options.real, options.generated, network)


METRIC = Metric(
    _measure,
    lambda data, options: keys(
        min(options.real, len(data.test)), options.generated, options.inception
    ),
    {
        "real": Field(10_000, fields.integer(2, MOST), "held-out images of the FID"),
        "generated": GENERATED,
        "inception": Field(
            "", fields.text, "an .npz of the FID's network, tfhub, or '' for the usual one"
        ),
    },
    kind="images",
    points=2,
    fetch=lambda data, options: feature_networks.network(options.inception),
    titles={"fid": "FID"},
)
