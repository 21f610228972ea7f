"""Data by source. A source is a function of the config that returns a data set object.

A data set has a `kind` ("mixture" or "images"), the `shape` of a data point, `batches(start, stop)`
to train on, and `points(n)` that training never sees. What a batch holds is a function of
(seed, step), so that a run can go on at any step.
"""

import pathlib

from bms_keras.data import images, synthetic
from bms_keras.errors import BadInput

MIXTURES = {"grid": synthetic.grid, "ring": synthetic.ring}


def load(config, batch_size, seed):
    """Opens a data set.

    Args:
        config: `config.data`: `source` and the source's own fields.
        batch_size: Data points a batch.
        seed: Integer seed of the order and of synthetic samples.

    Raises:
        BadInput: If the source is unknown, or if its data cannot be read.
    """
    source = config.source
    if source in MIXTURES:
        return MIXTURES[source](batch_size, seed)
    path = pathlib.Path(source)
    if source.startswith("tfds:") or (source and path.is_dir()):
        if not config.resolution:
            raise BadInput(
                f"config.data.resolution must say the size of images from {source}. Received: 0"
            )
        opened = images.from_tfds if source.startswith("tfds:") else images.from_folder
        return opened(config, batch_size, seed)
    if path.is_file() and path.suffix == ".npz":
        return images.from_npz(config, batch_size, seed)
    raise BadInput(
        f"config.data.source must be one of {', '.join(MIXTURES)}, 'tfds:NAME', or the path of an "
        f".npz or of a folder of images. Received: {source!r}"
    )
