"""How many samples are new rather than copies of training images, with slight changes.

Alaa et al. 2022 (https://arxiv.org/abs/2102.08921), section 3.3, on the features of FID and `prdc`.
"""

import numpy as np

from bms_keras.errors import BadInput
from bms_keras.metrics import feature_networks, features, prdc
from bms_keras.metrics.metric import Metric


def authenticity(training, samples):
    """Share of samples that lie farther from the training point next to them than any other does.

    Args:
        training: Features of training data `(n, d)`.
        samples: Features `(m, d)`.

    Returns:
        float, percent. Copies have 0; of data that was held out, of as many points as there are in
        training, some 50.

    Raises:
        BadInput: If there are fewer than two points of training, or no samples.

    Example:

    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [5.0]])
    >>> authenticity(x, np.array([[0.5], [-1.5]]))
    50.0
    """
    if len(training) < 2 or not len(samples):
        raise BadInput(
            "authenticity needs two points of training and a sample. "
            f"Received: {len(training)} and {len(samples)}"
        )
    training, samples = (np.asarray(x, "float64") for x in (training, samples))
    apart, authentic = prdc.radii(training, 1), 0
    for first in range(0, len(samples), prdc.BLOCK):
        squares = prdc.squared_distances(samples[first : first + prdc.BLOCK], training)
        nearest = squares.argmin(1)
        authentic += np.sum(squares[np.arange(len(nearest)), nearest] > apart[nearest])
    return 100 * float(authentic) / len(samples)


def _keys(data, options):
    """Its names: of training images and samples, and of held-out images in their place."""
    network, real = feature_networks.name_of(options), min(options.real, len(data.train))
    (name,) = features.keyed(("authenticity",), real, options.generated, network)
    name = name.removesuffix("test") + "train"
    return name, f"{name}_data"


def _measure(model, data, options):
    network = feature_networks.of(options)

    def of_split(split, name):
        found = features.of_data(network, data, data.images(options.real, split), split)
        return features.finite(found, name, network)

    training = of_split("train", "training images")
    held_out = of_split("test", "held-out images")
    samples = features.of_samples(network, model, options.generated, seed=0)
    samples = features.finite(samples, "samples", network)
    found = (authenticity(training, x) for x in (samples, held_out))
    return dict(zip(_keys(data, options), found, strict=True))


METRIC = Metric(
    _measure,
    _keys,
    features.OPTIONS,
    kind="images",
    fetch=lambda data, options: feature_networks.of(options),
    fits=lambda data: None if hasattr(data, "train") else "needs the images of training, `train`",
    titles={"authenticity": "authentic %"},
)
