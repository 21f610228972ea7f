"""Stacked MNIST: three digits at random, one in each colour, so 1,000 modes (Metz et al. 2017)."""

import functools

import numpy as np

from bms_keras.data import archives, contents
from bms_keras.data.images import Images
from bms_keras.errors import BadInput, one_line

NAME = "stacked_mnist"
COLOURS = 3


def load(config, path, batch_size, seed):
    """The data set of `config.data`, whose other fields must leave the digits as they are.

    Raises:
        BadInput: If they do not, or if there are no digits at the path.
    """
    found = StackedMNIST(path, batch_size, seed)
    side, _, channels = found.shape
    asked = config.resolution or side, config.channels or channels, config.crop
    if (*asked, config.flip) != (side, channels, 0, False):
        raise BadInput(
            f"config.data.source={config.source!r} gives images of resolution={side} and "
            f"channels={channels}, with crop=0 and flip=False. Received: resolution="
            f"{config.resolution}, channels={config.channels}, crop={config.crop}, "
            f"flip={config.flip}"
        )
    return found


def read(path, names):
    """Arrays of an `.npz` of MNIST, in the order of their names.

    Raises:
        BadInput: If the file cannot be read, or an array is missing, or not of one size for each of
            its digits.
    """
    arrays = archives.read(path, [(name,) for name in names])
    for name in names:
        if name not in arrays:
            raise BadInput(
                f"{one_line(path)} must hold {', '.join(names)}. Received: {', '.join(arrays.held)}"
            )
        wanted = 3 if name.startswith("x_") else 1
        if arrays[name].ndim != wanted or 0 in arrays[name].shape:
            what = "digits (n, height, width)" if wanted == 3 else "labels (n,)"
            raise BadInput(
                f"{one_line(path)}: {name} must be {what}. Received: {arrays[name].shape}"
            )
    return [arrays[name] for name in names]


def _of_all(digits):
    """As many stacks as there are digits, every digit once in each channel."""
    rng = np.random.Generator(np.random.Philox(key=0))
    return Stacks(digits, np.stack([rng.permutation(len(digits)) for _ in range(COLOURS)], -1))


class Stacks:
    """Images whose colour channels are images of one channel, put together when they are asked for.

    Args:
        digits: uint8 `(m, height, width)`.
        index: Integers `(n, 3)`, which digit is in which channel.
    """

    dtype = np.dtype("uint8")

    def __init__(self, digits, index):
        self.digits, self.index = digits, index
        self.shape = (len(index), *digits.shape[1:], COLOURS)

    def __len__(self):
        return len(self.index)

    def __getitem__(self, place):
        return np.moveaxis(self.digits[self.index[place]], -3, -1)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


class StackedMNIST(Images):
    """Three digits a data point, drawn afresh for each batch.

    What is held out, and what pictures show as the training set, is as many stacks as there are
    digits: these in an order of their own in each channel, the same for every run.

    Args:
        path: An `.npz` of MNIST: uint8 `x_train` and `x_test`, `(n, height, width)`.
        batch_size: Images a batch.
        seed: Integer seed of the stacks.

    Attributes:
        mnist: The path, by which `stacked_mnist` among the metrics finds digits and labels.

    Raises:
        BadInput: If the file holds no such arrays.
    """

    def __init__(self, path, batch_size, seed):
        self.mnist = path
        parts = read(path, ("x_train", "x_test"))
        super().__init__(*map(_of_all, parts), batch_size, seed, NAME, prepared=("stacked",))

    @functools.cached_property
    def digests(self):
        """What tells the digits apart, uint64: of those to train on, and of those held out."""
        return tuple(contents.of_rows(stacks.digits) for stacks in (self.train, self.test))

    def batch(self, number):
        """A batch, uint8 `(batch_size, *shape)`; a function of the seed and its number."""
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, number]))
        digits = self.train.digits
        return Stacks(digits, rng.integers(len(digits), size=(self.batch_size, COLOURS)))[:]
