"""Features of held-out images and of samples, which several metrics go by.

Those of held-out images are kept in the cache, those of the latest samples in memory: whatever
metrics are measured, each image goes through the network once.
"""

import hashlib
import sys
import time

import numpy as np

from bms_keras import fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.files import cache
from bms_keras.metrics import feature_networks, inception
from bms_keras.metrics.metric import MOST, Metric
from bms_keras.metrics.samples import GENERATED, drawn

CHUNK = 1000  # generated images in memory at a time
LATEST = 16  # chunks whose features are remembered: 0.13 GB of Inception's
OPTIONS = {
    "real": Field(10_000, fields.integer(2, MOST), "held-out images of the FID"),
    "generated": GENERATED,
    **feature_networks.OPTIONS,
}
_latest = {}


def metric(function, names, points, titles, options=None):
    """A metric that goes by features.

    Args:
        function: Takes the features of held-out images, those of samples and the options; returns
            numbers.
        names: What they are called before the protocol.
        points: How many images it needs on each side.
        titles: See `Metric`.
        options: What it may be told beside `OPTIONS`.
    """

    def measure(model, data, options):
        network = feature_networks.of(options)
        numbers = lambda x, y: function(x, y, options)  # noqa: E731
        return measured(numbers, names, model, data, options.real, options.generated, network)

    def keys(data, options):
        real = min(options.real, len(data.test))
        return keyed(names, real, options.generated, feature_networks.name_of(options))

    return Metric(
        measure,
        keys,
        OPTIONS | (options or {}),
        kind="images",
        points=points,
        fetch=lambda data, options: feature_networks.of(options),
        titles=titles,
    )


def measured(function, names, model, data, real=10_000, generated=5_000, network=None, seed=0):
    """What a function says of the features of held-out images and of a model's samples.

    Args:
        function: Takes both; returns numbers.
        names: What they are called before the protocol.
        model: What has `sample(n, seed=)`.
        data: What has `images(n, split=)` and `fingerprint`. The features of its images are cached.
        real, generated: Numbers of images; the real ones may be fewer, and the key says how many.
        network: An `Inception` (the default, with weights fetched on first use) or what has its
            `features`, `name` and `fingerprint`.
        seed: Integer seed of the samples.

    Returns:
        Dictionary of numbers, as `fid_<real>_<generated>_test`; with another network
        `fid_<network.name>_<real>_<generated>_test`.

    Raises:
        BadInput: If there are fewer than two images on a side, the model's samples are not finite,
            the network's weights cannot be had, or what it makes of images is not finite.
    """
    network = network or feature_networks.network()
    images = data.images(real)
    x = finite(of_data(network, data, images), "held-out images", network)
    if min(len(x), generated) < 2:
        raise BadInput(
            "at least two images are needed on each side. "
            f"Received: {len(x)} held-out, {generated} generated"
        )
    y = finite(of_samples(network, model, generated, seed), "samples", network)
    return dict(zip(keyed(names, len(x), generated, network.name), function(x, y), strict=True))


def keyed(names, real, generated, network):
    """The names of numbers with their protocol: the network unless it is Inception, the counts."""
    own = "" if network == inception.Inception.name else f"{network}_"
    return tuple(f"{name}_{own}{real}_{generated}_test" for name in names)


def of_data(network, data, images, split="test"):
    """The features of a data set's images of a split, from the cache if they are there."""
    key = f"{network.fingerprint} {data.fingerprint} {split} {len(images)}"
    return kept(network, key, len(images), lambda said: network.features(images, progress=said))


def kept(network, key, n, make):
    """Features from the cache; they are made if it lacks them.

    Args:
        network: Whose they are.
        key: A text that says of what they are.
        n: Of how many images.
        make: Takes a function to report progress to; returns float32 `(n, d)`.
    """
    folder = cache.subfolder("statistics")
    file = folder / f"{network.name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    try:
        features = cache.load(file).get("features")
        if features is not None and len(features) == n:
            return features
    except BadInput:  # missing or damaged: made (again) below
        pass
    features = make(Progress("features of real images", n))
    try:
        cache.save(file, {"features": features})
    except BadInput as error:  # they cost minutes, but are there
        print(f"features of real images are not kept: {error}", file=sys.stderr, flush=True)
    return features


def finite(features, whose, network):
    """Features as they are, unless they are not finite: their distance would be NaN, or even 0."""
    if not np.isfinite(features).all():
        raise BadInput(
            f"the features of {whose} are not finite: the weights of {network.name} are not those "
            "of a network that was trained"
        )
    return features


def of_samples(network, model, n, seed):
    """The features of a model's samples; see `samples.drawn`."""
    progress = Progress("features of generated images", n)
    parts = []
    for start in range(0, n, CHUNK):
        images = drawn(model, min(CHUNK, n - start), [seed, start])
        parts.append(_remembered(network, images, progress.after(start)))
    return np.concatenate(parts)


def _remembered(network, images, progress):
    """The features of images, computed once for metrics that ask one after another."""
    key = network.fingerprint, images.shape, hashlib.sha256(np.ascontiguousarray(images)).digest()
    if key not in _latest:
        _latest[key] = network.features(images, progress=progress)
        while len(_latest) > LATEST:
            del _latest[next(iter(_latest))]
    return _latest[key]


class Progress:
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
