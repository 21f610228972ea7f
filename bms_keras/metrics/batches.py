"""Images on their way through a feature network."""

import numpy as np


def check_images(images):
    """Refuses what is no array of uint8 images.

    Raises:
        ValueError: Saying what was received.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "images must be uint8, (n, height, width, 1 or 3). "
            f"Received: {images.dtype} {images.shape}"
        )


def in_batches(function, images, width, batch_size, progress):
    """What a function says of images, in batches of one size, for which it is compiled once."""
    features = np.empty((len(images), width), "float32")
    batch = np.zeros((batch_size, *images.shape[1:]), "uint8")
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size]
        batch[: len(part)] = part
        features[start : start + len(part)] = function(batch)[: len(part)]
        if progress:
            progress(start + len(part))
    return features
