"""Data of which there are so many: they are visited in epochs."""

import functools

import numpy as np

from bms_keras.data import contents
from bms_keras.data.dataset import Dataset
from bms_keras.errors import BadInput


class Epochs(Dataset):
    """Training and held-out data points that lie in arrays.

    Args:
        train, test: Arrays `(n, *shape)`.
        batch_size: Points a batch.
        seed: Integer seed of the order.
        name: What the data are called.
        of: What the points are called in errors.

    Raises:
        BadInput: If there are fewer points to train on than a batch holds.
    """

    prepared = ()  # what was done to the sources of which `digests` are

    def __init__(self, train, test, batch_size, seed, name, of):
        if len(train) < batch_size:
            raise BadInput(
                f"{name} has {len(train)} training {of}: config.batch_size must be at most that. "
                f"Received: {batch_size}"
            )
        self.train, self.test = train, test
        self.batch_size = batch_size
        self.seed = seed
        self.name = name
        self.shape = tuple(train.shape[1:])

    @functools.cached_property
    def digests(self):
        """What tells the points apart, uint64: of those to train on, and of those held out."""
        return contents.of_rows(self.train), contents.of_rows(self.test)

    @functools.cached_property
    def fingerprint(self):
        """Tells data sets apart by their points, the split and how they were prepared: not by name,
        nor by where they lie."""
        return contents.fingerprint(*self.digests, (self.shape, self.prepared))

    def indices(self, number):
        """Which training points a batch holds, `(batch_size,)`.

        Each epoch visits the points in an order of its own; what is left at its end, less than a
        batch, is dropped. Within a batch they ascend: a mapped file is read in one direction.
        """
        epoch, place = divmod(number, len(self.train) // self.batch_size)
        return np.sort(self._order(epoch)[place * self.batch_size :][: self.batch_size])

    @functools.lru_cache(maxsize=2)  # noqa: B019  (data sets live as long as the process)
    def _order(self, epoch):
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, epoch]))
        return rng.permutation(len(self.train))

    def sample(self, n, split="test"):
        """`n` points of a split, or all there are, as they lie there.

        The sample is drawn once and for all, whatever the run's seed: that of fewer points is the
        beginning of that of more. Where the data lie sorted by class, it is of all classes.
        """
        part = self.test if split == "test" else self.train
        return np.asarray(part[sample(len(part), n)])


def sample(total, n):
    """Which `n` of `total` stand for all, the same ever: indices in an order of their own."""
    return np.random.Generator(np.random.Philox(key=0)).permutation(total)[:n]
