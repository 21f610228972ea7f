"""Modes of Stacked MNIST that a model finds, and how evenly (Metz et al. 2017).

    python -m bms_keras.metrics.stacked_mnist --data=mnist.npz

trains the classifier that says of which of the 1,000 modes a sample is, in a few minutes on a core,
and keeps it in the cache; else the first measurement does.
"""

import numpy as np

from bms_keras import fields
from bms_keras.fields import Field
from bms_keras.metrics.metric import MOST, Metric
from bms_keras.metrics.modes import kl_from_uniform
from bms_keras.metrics.samples import drawn
from bms_keras.metrics.stacked_mnist.digits import classifier

MODES = 1000
CHUNK = 1000  # samples in memory at a time
CLASSIFIER = "stacked_classifier_percent"


def mode_coverage(digits):
    """How many of the 1,000 modes samples find, and how evenly.

    Args:
        digits: Integers from 0 to 9 `(n, 3)`: what a classifier sees in each channel of n samples.

    Returns:
        Dictionary of numbers: `modes`, which at least one sample is of; `kl`, the KL divergence in
        nats of the histogram of the modes from the uniform one (Srivastava et al. 2017). A perfect
        sampler has 1,000 and, of 26,000 samples, some 0.019: (modes - 1) / (2 samples).

    Example:

    >>> mode_coverage(np.array([[0, 0, 7], [0, 0, 7], [9, 1, 4]]))["modes"]
    2
    """
    counts = np.bincount(np.asarray(digits) @ [100, 10, 1], minlength=MODES)
    return {"modes": int(np.sum(counts > 0)), "kl": kl_from_uniform(counts)}


def stacked_mnist(model, data, samples=26_000, seed=0):
    """Modes of Stacked MNIST that a model's samples find, and their KL divergence from uniform.

    Args:
        model: What has `sample(n, seed=)`.
        data: A `data.stacked.StackedMNIST`.
        samples: How many; 26,000 in the literature.
        seed: Integer seed of the samples.

    Returns:
        Dictionary: `stacked_modes_<samples>` and `stacked_kl_<samples>`, see `mode_coverage`, and
        `stacked_classifier_percent`, the accuracy of the classifier on MNIST's test set.

    Raises:
        BadInput: If MNIST cannot be read, or if the model's samples are not finite.
    """
    starts = range(0, samples, CHUNK)
    parts = (drawn(model, min(CHUNK, samples - start), [seed, start]) for start in starts)
    return _scores(parts, classifier(data.mnist))


def of_images(images, judge):
    """What `stacked_mnist` returns, of samples that are there.

    Args:
        images: uint8 `(n, height, width, 3)`.
        judge: A `digits.Classifier`.
    """
    starts = range(0, len(images), CHUNK)
    return _scores((images[start : start + CHUNK] for start in starts), judge)


def _scores(parts, judge):
    digits = np.concatenate([judge.digits(part) for part in parts])
    found = mode_coverage(digits)
    return dict(zip(keys(len(digits)), (*found.values(), judge.percent), strict=True))


def keys(samples):
    """The names of what `stacked_mnist` returns."""
    return f"stacked_modes_{samples}", f"stacked_kl_{samples}", CLASSIFIER


METRIC = Metric(
    lambda model, data, options: stacked_mnist(model, data, options.stacked_samples),
    lambda data, options: keys(options.stacked_samples),
    {
        "stacked_samples": Field(
            26_000, fields.integer(1, MOST), "samples of the modes of Stacked MNIST"
        )
    },
    kind="images",
    fits=lambda data: (
        None if hasattr(data, "mnist") else "needs config.data.source=stacked_mnist:FILE"
    ),
    fetch=lambda data, options: classifier(data.mnist),
    constants=(CLASSIFIER,),
    titles={"stacked_modes": "modes", "stacked_kl": "KL"},
)
