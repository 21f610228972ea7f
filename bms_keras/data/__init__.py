"""Data by source. A source is a function of the config that returns a data set object.

What a batch holds is a function of (seed, step), so that a run can go on at any step.
"""

from bms_keras.data import synthetic
from bms_keras.errors import lookup

SOURCES = {"grid": synthetic.grid, "ring": synthetic.ring}


def load(config, batch_size, seed):
    """Opens a data set.

    Args:
        config: `config.data`: `source` and the source's own fields.
        batch_size: Data points a batch.
        seed: Integer seed of the order and of synthetic samples.

    Raises:
        BadInput: If the source is unknown.
    """
    return lookup(SOURCES, config.source, "data.source")(batch_size, seed)
