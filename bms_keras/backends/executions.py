"""The batches of an execution of several steps, which both backends take in one call."""

import itertools

import numpy as np


def stacked(batches, most):
    """Stacks the next batches, those in a row that have one shape together.

    Args:
        batches: Iterator of arrays `(b, ...)`, which may differ in shape, as a data set's last may.
        most: How many to take.

    Returns:
        List of pairs: a stack `(most, b, ...)`, which is filled up with its last batch so that it
        has one shape however many there are, and how many of it count.

    Raises:
        StopIteration: If there is no batch left.

    Example:

    >>> parts = stacked(iter([np.ones((2, 3)), np.ones((2, 3)), np.ones((1, 3))]), most=4)
    >>> [(stack.shape, count) for stack, count in parts]
    [((4, 2, 3), 2), ((4, 1, 3), 1)]
    """
    taken = list(itertools.islice(batches, most))
    if not taken:
        raise StopIteration
    groups = [list(group) for _, group in itertools.groupby(taken, lambda b: tuple(b.shape))]
    return [(np.stack(g + g[-1:] * (most - len(g))), len(g)) for g in groups]
