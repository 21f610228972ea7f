"""Precision, recall, density and coverage: fidelity and diversity apart, by nearest neighbours.

Precision and recall are those of Kynkäänniemi et al. 2019 (https://arxiv.org/abs/1904.06991),
density and coverage those of Naeem et al. 2020 (https://arxiv.org/abs/2002.09797).
"""

import dataclasses
import itertools

import numpy as np

from bms_keras import fields
from bms_keras.errors import BadInput, warn_once
from bms_keras.fields import Field
from bms_keras.metrics import features

NEIGHBOURS = Field(5, fields.integer(1, 1000), "k of precision, recall, density and coverage")
PRDC = ("precision", "recall", "density", "coverage")  # what `prdc` returns
FEW = 1000  # images, of which these numbers say little
BLOCK = 1000  # points of a side whose distances are in memory at a time


def prdc(real, fake, k=5):
    """How much of the samples lies among the data, and how much of the data among the samples.

    A point's ball reaches to its k-th nearest neighbour on its own side.

    Args:
        real, fake: Features of data `(n, d)` and of samples `(m, d)`.
        k: Which neighbour; 5 in Naeem et al.

    Returns:
        Dictionary of four floats: `precision`, the share of samples in a ball of data; `recall`,
        the share of data in a ball of samples; `density`, in how many balls of data a sample lies,
        over k (it may exceed 1); `coverage`, the share of data whose own ball holds a sample.

    Raises:
        BadInput: If a side has no more than k features.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 8))
    >>> prdc(x, x)["coverage"]
    1.0
    """
    if min(len(real), len(fake)) <= k:
        raise BadInput(
            f"each side needs more than k={k} features. Received: {len(real)} and {len(fake)}"
        )
    real, fake = _centred(real, fake)
    real_radius, fake_radius = radii(real, k), radii(fake, k)
    inside = np.zeros(len(fake), int)  # how many balls of data a sample lies in
    found = np.zeros(len(real), bool)  # whether a point of data lies in a ball of a sample
    nearest = np.full(len(real), np.inf)
    for first in range(0, len(fake), BLOCK):
        part = slice(first, first + BLOCK)
        distances = squared_distances(real, fake[part])
        inside[part] = (distances < real_radius[:, None]).sum(0)
        found |= (distances < fake_radius[None, part]).any(1)
        nearest = np.minimum(nearest, distances.min(1))
    return {
        "precision": float(np.mean(inside > 0)),
        "recall": float(np.mean(found)),
        "density": float(np.mean(inside) / k),
        "coverage": float(np.mean(nearest < real_radius)),
    }


def _centred(real, fake):
    """Both in float32, moved and scaled alike, which leaves the four numbers as they are.

    A product in float32 takes half the time of one in float64. Far from 0 it would lose the
    distances in the squares that they are the difference of; about the data's mean it does not.
    """
    real, fake = (np.asarray(x, "float64") for x in (real, fake))
    middle = real.mean(0)
    scale = max(abs(x - middle).max() for x in (real, fake)) or 1.0
    return (((x - middle) / scale).astype("float32") for x in (real, fake))


def radii(x, k):
    """The distance of each point to its k-th nearest neighbour, squared."""
    nearest = np.full((len(x), k + 1), np.inf, x.dtype)  # of each point, itself among them
    parts = [slice(first, first + BLOCK) for first in range(0, len(x), BLOCK)]
    for a, b in itertools.combinations_with_replacement(parts, 2):
        distances = squared_distances(x[a], x[b])
        if a == b:
            np.fill_diagonal(distances, 0)  # up to rounding it is
        for part, found in [(a, distances), (b, distances.T)][: 1 if a == b else 2]:
            of_both = np.hstack([nearest[part], found])
            nearest[part] = np.partition(of_both, k, axis=1)[:, : k + 1]
    return nearest.max(1)


def squared_distances(a, b):
    """Squared Euclidean distances `(n, m)`."""
    found = a @ (-2 * b).T  # all else in its memory: new arrays would take longer than the product
    found += np.einsum("ij,ij->i", a, a)[:, None]
    found += np.einsum("ij,ij->i", b, b)
    return np.maximum(found, 0, out=found)


def of_images(real, fake, k=5):
    """What `prdc` finds of images' features; says, once, if these are so few that it says little.

    Args:
        real, fake, k: See `prdc`.
    """
    if (n := min(len(real), len(fake))) < FEW:
        warn_once(
            f"precision, recall, density and coverage of {n} images say little, as a ball that "
            f"reaches {k} of {n} covers much: compare equal counts only, {FEW} and more"
        )
    return prdc(real, fake, k)


def refuse_few(found, options):
    """Refuses fewer points of a side than a neighbour asks for, before anything is measured."""
    if found <= options.neighbours:
        raise BadInput(
            f"precision and recall need more points than neighbours={options.neighbours}. "
            f"Received: {found}"
        )


def _fetch(data, options):
    refuse_few(min(options.real, len(data.test), options.generated), options)
    BY_FEATURES.fetch(data, options)


BY_FEATURES = features.metric(
    lambda x, y, options: of_images(x, y, options.neighbours).values(),
    PRDC,
    points=6,
    titles={"precision": "precision", "recall": "recall"},
    options={"neighbours": NEIGHBOURS},
)
METRIC = dataclasses.replace(BY_FEATURES, fetch=_fetch)
