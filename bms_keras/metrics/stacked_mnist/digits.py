"""The classifier of digits, trained once and kept in the cache."""

import functools
import hashlib
import sys

import keras
import numpy as np
from keras import layers

from bms_keras.backends import predict
from bms_keras.data import stacked
from bms_keras.errors import BadInput, reason, warn
from bms_keras.files import cache

VERSION = 1  # of what follows: a network of another is trained anew
EPOCHS, BATCH = 10, 100
FARTHEST = 2  # pixels by which digits are shifted in training
ACCURATE = 99.2  # percent of MNIST's test set, below which modes are counted that are none
PARTS = ("x_train", "y_train", "x_test", "y_test")


class Classifier:
    """Tells digits apart.

    Args:
        network: Keras model from `(n, height, width, 1)` in [0, 1] to ten logits.
        percent: Its accuracy on MNIST's test set.
    """

    def __init__(self, network, percent):
        self.network, self.percent = network, percent

    def digits(self, images):
        """The digit in each channel of uint8 images `(n, height, width, 3)`, integers `(n, 3)`."""
        channels = np.moveaxis(images, -1, 1)
        x = channels.reshape(-1, *images.shape[1:3], 1).astype("float32") / 255
        return predict(self.network, x, BATCH * 10).argmax(-1).reshape(len(images), -1)


@functools.lru_cache(maxsize=1)
def classifier(path):
    """The classifier of an MNIST; it is trained if the cache lacks it.

    Args:
        path: An `.npz` with uint8 arrays `x_train`, `y_train`, `x_test` and `y_test`.

    Returns:
        A `Classifier`.

    Raises:
        BadInput: If the file holds no such arrays, or the cache no such classifier's weights.
    """
    parts = stacked.read(path, PARTS)
    key = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]
    file = cache.subfolder("weights") / f"mnist_classifier-{VERSION}-{key}.npz"
    network = _network(parts[0].shape[1:])
    try:
        arrays = cache.load(file)
    except BadInput:  # missing or damaged: made (again)
        percent = _train(network, *parts)
        weights = {f"weight_{i}": weight for i, weight in enumerate(network.get_weights())}
        cache.save(file, weights | {"percent": np.array(percent)})
    else:
        percent = _restore(network, arrays, file)
    if percent < ACCURATE:
        warn(
            f"the classifier of digits tells {percent:.2f} % of the test set, less than {ACCURATE}:"
            " modes and KL are those of its mistakes, too"
        )
    return Classifier(network, percent)


def _restore(network, arrays, file):
    """Gives a network the weights that a file of the cache holds; returns its accuracy."""
    try:
        network.set_weights([arrays[f"weight_{i}"] for i in range(len(network.weights))])
        return float(arrays["percent"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{file} does not hold the weights of this classifier of digits ({reason(error)}): "
            "remove it, and it is trained again"
        ) from None


def _network(shape):
    """Two convolutions of stride 2, which on a CPU cost less than pooling, and a hidden layer."""

    def block(filters, seed):
        weights = {"use_bias": False, "kernel_initializer": keras.initializers.HeNormal(seed)}
        conv = layers.Conv2D(filters, 5, 2, "same", **weights)
        return [conv, layers.BatchNormalization(), layers.ReLU()]

    hidden = layers.Dense(128, "relu", kernel_initializer=keras.initializers.HeNormal(2))
    last = layers.Dense(10, kernel_initializer=keras.initializers.GlorotNormal(3))
    ends = [layers.Flatten(), layers.Dropout(0.4, seed=4), hidden, layers.Dropout(0.4, seed=5)]
    return keras.Sequential([keras.Input((*shape, 1)), *block(16, 0), *block(32, 1), *ends, last])


def _train(network, x_train, y_train, x_test, y_test):
    """Trains a classifier; returns its accuracy on the test set in percent."""
    batches = -(-len(x_train) // BATCH)
    network.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * batches)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    labels, rng = y_train.astype("int32"), np.random.default_rng(0)
    for epoch in range(1, EPOCHS + 1):
        order = rng.permutation(len(x_train))
        x = _shifted(x_train[order], rng)[..., None].astype("float32") / 255
        network.fit(x, labels[order], BATCH, verbose=0, shuffle=False)
        found = Classifier(network, None).digits(x_test[..., None])[:, 0]
        percent = 100 * float(np.mean(found == y_test))
        print(
            f"classifier of digits: epoch {epoch} of {EPOCHS}, {percent:.2f} % right",
            file=sys.stderr,
            flush=True,
        )
    return percent


def _shifted(images, rng):
    """Images, each shifted by a few pixels at random, black where there was nothing."""
    n, height, width = images.shape
    padded = np.pad(images, ((0, 0), (FARTHEST, FARTHEST), (FARTHEST, FARTHEST)))
    down, right = rng.integers(0, 2 * FARTHEST + 1, (2, n, 1, 1))
    rows, columns = down + np.arange(height)[:, None], right + np.arange(width)
    return padded[np.arange(n)[:, None, None], rows, columns]
