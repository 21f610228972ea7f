"""What a step takes of the data: one batch, or one for each turn of a player that has several."""

import numpy as np


def of_step(batch, step, per_step):
    """The batches of a step as one array, whose rows `Game.turns` deals out to the turns again.

    Row j * per_step + i is the j-th of the i-th batch: so each of several devices, which share the
    rows in their order, has its part of every batch.

    Args:
        batch: Function of a batch's number that returns its points `(batch_size, ...)`, or what
            tells which they are.
        step: The step, from 0.
        per_step: How many batches it takes; see `Game.batches_per_step`.

    Returns:
        Array `(batch_size * per_step, ...)`: the batches `step * per_step` and those after it.

    Example:

    >>> of_step(lambda number: np.array([10 * number, 10 * number + 1]), step=1, per_step=3)
    array([30, 40, 50, 31, 41, 51])
    """
    parts = [batch(step * per_step + i) for i in range(per_step)]
    return np.stack(parts, 1).reshape(-1, *parts[0].shape[1:])
