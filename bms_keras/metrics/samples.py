"""A model's samples as the metrics of images see them."""

import numpy as np

from bms_keras import fields
from bms_keras.data.images import quantized
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.metrics.metric import MOST

GENERATED = Field(5_000, fields.integer(2, MOST), "samples of FID and LPIPS")


def drawn(model, n, seed):
    """Samples as they look once saved.

    Args:
        model: What has `sample(n, seed=)`.
        n: Number of samples.
        seed: Sequence of integers: that of the metric, and where this part begins.

    Returns:
        uint8 array `(n, *data_shape)`.

    Raises:
        BadInput: If the samples are not finite.
    """
    x = model.sample(n, seed=int(np.random.default_rng(seed).integers(2**24)))
    if not np.isfinite(x).all():
        raise BadInput("the model's samples are not finite: its training has diverged")
    return quantized(x)
