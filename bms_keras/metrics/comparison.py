"""FID, KID, precision and recall of any two sets of images, whoever made them."""

import numpy as np

from bms_keras.errors import lookup, warn
from bms_keras.metrics import feature_networks
from bms_keras.metrics.features import Progress, finite, kept
from bms_keras.metrics.fid import SUBSET, Moments, frechet_distance, warn_of_few, warn_of_scatter
from bms_keras.metrics.fid import kid as kernel_distance
from bms_keras.metrics.prdc import PRDC, of_images
from bms_keras.metrics.sides import side


def _fid(x, y, seed, neighbours):
    warn_of_few(len(x), len(y), x.shape[1])
    return {"fid": frechet_distance(Moments().add(x), Moments().add(y))}


def _kid(x, y, seed, neighbours):
    warn_of_scatter(len(x), len(y))
    mean, deviation = kernel_distance(x, y, seed=seed)
    subsets_differ = max(len(x), len(y)) > min(SUBSET, len(x), len(y))  # else each is all there is
    return {"kid": mean} | ({"kid_std": deviation} if subsets_differ else {})


METRICS = {
    "fid": _fid,
    "kid": _kid,
    "prdc": lambda x, y, seed, neighbours: of_images(x, y, neighbours),
}


def compare(
    real,
    generated,
    metrics=("fid", "kid"),
    count=None,
    resolution=0,
    features="inception",
    inception="",
    neighbours=5,
    batch_size=32,
    seed=0,
):
    """Measures how far generated images are from real ones.

    Each image goes through the network once, whatever is measured, and what it makes of the real
    ones is kept in the cache.

    Args:
        real, generated: Each an array `(n, height, width, 1 or 3)`, uint8 or floats in [-1, 1]; the
            path of a folder of images, of an `.npz` or an `.npy`; or a model, of which samples are
            drawn. See `sides.side`.
        metrics: Names, of "fid", "kid" and "prdc"; of a single one, itself.
        count: How many images of each side at most; of a model, how many are drawn (5,000).
        resolution: What a folder's images of differing sizes are cropped and resized to. Otherwise
            images are taken as they are; the network resizes them to what it takes, for Inception
            299 x 299 as TensorFlow 1 did it.
        features, inception: The network; see `feature_networks.network`.
        neighbours: k of "prdc".
        batch_size: Images at a time.
        seed: Integer seed of a model's samples and of KID's subsets.

    Returns:
        Dictionary: "fid"; "kid" and "kid_std", over its subsets, if these are not all the same
        images; "precision", "recall", "density", "coverage"; and how they were measured, "real" and
        "generated", the counts, and "features".

    Raises:
        BadInput: If a side is none of these, holds fewer than two images, images of differing sizes
            or numbers whose range is not known, or if the network cannot be had.

    Example:

        compare("photos", "samples", metrics=("fid", "prdc"))["recall"]
    """
    metrics = (metrics,) if isinstance(metrics, str) else metrics
    asked = [lookup(METRICS, name, "a metric of two sides") for name in metrics]
    sides = (
        side(real, "real", count, resolution),
        side(generated, "generated", count, resolution, seed),
    )
    network = feature_networks.network(inception, features)  # which may have to be fetched
    if sides[0].shape[:2] != sides[1].shape[:2]:
        sizes = " and ".join("x".join(map(str, each.shape[1::-1])) for each in sides)
        warn(f"the images are {sizes}: each is resized to what the network takes, and blur counts")
    x = _of_real(sides[0], network, batch_size)
    said = Progress("features of generated images", sides[1].count)
    y = finite(_of_side(sides[1], network, batch_size, said), sides[1].name, network)
    found = {}
    for function in asked:
        found |= function(x, y, seed, neighbours)
    return found | {"real": len(x), "generated": len(y), "features": network.name}


def _of_real(side, network, batch_size):
    """Features of a side, from the cache if they are there."""
    make = lambda said: _of_side(side, network, batch_size, said)  # noqa: E731
    digest = side.digest()
    if digest is None:
        return finite(make(Progress("features of real images", side.count)), side.name, network)
    key = f"{network.fingerprint} {digest} {side.count}"
    return finite(kept(network, key, side.count, make), side.name, network)


def _of_side(side, network, batch_size, progress):
    parts = [
        network.features(images, batch_size, progress.after(first))
        for first, images in side.chunks()
    ]
    return np.concatenate(parts)


def fid(real, generated, **options):
    """Frechet Inception distance of two sets of images; see `compare` for what these may be.

    Below 2,049 images a side the covariance of 2,048 features is singular; a line says so.

    Returns:
        float; 0 for equal sets.

    Example:

        fid("photos", model, count=10_000)
    """
    return compare(real, generated, ("fid",), **options)["fid"]


def kid(real, generated, **options):
    """Kernel Inception distance, unbiased at any number of images; see `compare`.

    Returns:
        float, the mean over subsets of at most 1,000 images; about 0 for two halves of one set.
    """
    return compare(real, generated, ("kid",), **options)["kid"]


def precision_recall(real, generated, **options):
    """Precision, recall, density and coverage; see `compare`, and `prdc.prdc` for what they are.

    Returns:
        Dictionary of four floats by these names.
    """
    found = compare(real, generated, ("prdc",), **options)
    return {name: found[name] for name in PRDC}
