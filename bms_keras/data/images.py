"""Images as one seeded pipeline of uint8, scaled late.

Whatever the source (see `sources.py`), the images are of one size and lie as uint8 in memory or in
a memory-mapped file; a batch is a function of (seed, step).
"""

import functools
import math

import keras
import numpy as np

from bms_keras.data import contents, steps
from bms_keras.data.epochs import Epochs
from bms_keras.errors import BadInput

FLIPS = 1  # the random numbers of `flip` beside those of the order
BLOCK = 1000  # images that are converted at a time
SMALLEST = 8  # side of what are taken to be flattened images
WANTED = "uint8 images (n, height, width) or (n, height, width, 1 or 3)"


def as_uint8(images, name):
    """An array of images as uint8, by a rule that guesses nothing.

    uint8 is taken as it is. Floats that end at 1 are in [-1, 1] where one is below 0, and in [0, 1]
    where none is and both ends are reached, to within 1/255. What else there is could be either,
    or in [0, 255].

    Args:
        images: Array `(n, height, width)` or `(n, height, width, 1 or 3)`.
        name: What it is called.

    Returns:
        uint8 array `(n, height, width, 1 or 3)`.

    Raises:
        BadInput: If it is something else, in a line that says how to convert it.

    Example:

    >>> as_uint8(np.linspace(0, 1, 12).reshape(1, 3, 4), "mine").ravel()[[0, 5, 11]]
    array([  0, 116, 255], dtype=uint8)
    """
    if images.ndim == 3:
        images = images[..., None]
    received = f"Received: {images.dtype} {images.shape}"
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape[1:]:
        how = _reshaped(images.shape)
        raise BadInput(f"{name} must be {WANTED}{how and f': {how}'}. {received}")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind == "b":
        raise BadInput(f"{name} must be {WANTED}: np.uint8(255 * x) converts them. {received}")
    if not len(images):
        raise BadInput(f"{name} must be {WANTED}. {received}")
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind == "f" and -1 <= low < 0 and high <= 1:
        return _by_blocks(quantized, images)
    if images.dtype.kind == "f" and 0 <= low <= 1 / 255 and 1 - 1 / 255 <= high <= 1:
        return _by_blocks(lambda x: quantized(2 * np.asarray(x, "float32") - 1), images)
    if low >= 0 and 1 < high <= 255:
        how = "np.uint8(x.round()) converts them"
    else:  # nobody knows
        how = "np.uint8(255 * x + 0.5) converts [0, 1], np.uint8(127.5 * x + 128) [-1, 1]"
    raise BadInput(f"{name} must be {WANTED}: {how}. {received}, from {low:g} to {high:g}")


def _reshaped(shape):
    """What makes images, or points, of an array of another shape, if that is known; else ""."""
    if len(shape) == 1:
        return "x[:, None] makes points of numbers"
    if len(shape) == 2 and shape[1] < SMALLEST**2:
        return 'x.astype("float32") makes points (n, d)'
    if len(shape) == 4 and shape[1] in (1, 3):
        return "x.transpose(0, 2, 3, 1) brings channels behind"
    if len(shape) == 4 and shape[-1] in (2, 4):
        return f"x[..., :{shape[-1] - 1}] leaves transparency out"
    return of_flattened(*shape[1:]) if len(shape) == 2 else ""


def of_flattened(numbers):
    """What makes images of rows of so many numbers, if they may be square ones; else "".

    Example:

    >>> of_flattened(784), of_flattened(785)
    ('x.reshape(-1, 28, 28) makes images of rows', '')
    """
    side = math.isqrt(numbers)
    if numbers == side**2 and side >= SMALLEST:
        return f"x.reshape(-1, {side}, {side}) makes images of rows"
    side = math.isqrt(numbers // 3)
    if numbers == 3 * side**2 and side >= SMALLEST:
        return (
            f"x.reshape(-1, {side}, {side}, 3) makes images of rows, or of CIFAR's, whose colours "
            f"come first, x.reshape(-1, 3, {side}, {side}).transpose(0, 2, 3, 1)"
        )
    return ""


def _by_blocks(function, images):
    """What a function makes of images, as uint8, without a copy of all of them."""
    found = np.empty(images.shape, "uint8")
    for first in range(0, len(images), BLOCK):
        found[first : first + BLOCK] = function(images[first : first + BLOCK])
    return found


def scaled(images):
    """uint8 in 0..255 as float32 in [-1, 1]."""
    return images.astype("float32") / 127.5 - 1


def quantized(x):
    """Numbers in [-1, 1] as uint8 in 0..255; what lies outside is cut off."""
    return np.round(np.clip(np.asarray(x, "float32") + 1, 0, 2) * 127.5).astype("uint8")


class Rows:
    """Some rows of an array, in an order of their own; read when they are asked for.

    Args:
        array: An array, which may be memory-mapped.
        index: Integers `(n,)`, the rows.
    """

    def __init__(self, array, index):
        self.array, self.index = array, index
        self.shape = (len(index), *array.shape[1:])
        self.dtype = array.dtype

    def __len__(self):
        return len(self.index)

    def __getitem__(self, place):
        return self.array[self.index[place]]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


class Images(Epochs):
    """Training and held-out images of one size.

    Args:
        train, test: uint8 arrays `(n, height, width, channels)`; memory-mapped ones or `Rows` will
            do.
        batch_size: Images a batch.
        seed: Integer seed of the order.
        name: What the images are called.
        digests: Of each split's images, uint64 `(n,)` each; those of the arrays if not given.
        prepared: What was done to the sources of which these are the digests, if anything.
        flip: Whether each image of a batch is mirrored, left to right, by the toss of a coin.

    Raises:
        BadInput: If there are fewer training images than a batch holds.
    """

    kind = drawing = "images"

    def __init__(
        self,
        train,
        test,
        batch_size,
        seed,
        name="images",
        digests=None,
        prepared=(),
        flip=False,
    ):
        super().__init__(train, test, batch_size, seed, name, "images")
        self.prepared = prepared
        self.flip = flip
        if digests:
            self.digests = digests

    def batch(self, number):
        """A batch, uint8 `(batch_size, *shape)`; a function of the seed and its number."""
        images = self.train[self.indices(number)]
        if not self.flip:
            return images
        coins = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, FLIPS, number]))
        mirrored = coins.random(len(images)) < 0.5
        return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)

    def images(self, n, split="test"):
        """A sample of `n` images of a split, or all there are, as uint8; see `Epochs.sample`."""
        return self.sample(n, split)

    def points(self, n):
        """A sample of `n` held-out images, scaled to [-1, 1]; fewer where there are fewer."""
        return scaled(self.images(n))

    def seen(self, n):
        """A sample of `n` training images, scaled to [-1, 1]; fewer where there are fewer."""
        return scaled(self.images(n, "train"))

    @functools.cached_property
    def contents(self):
        """What a checkpoint notes of its data, as JSON, for `contents.check` to compare with."""
        return super().contents | {"images": contents.packed(np.concatenate(self.digests))}

    def batches(self, start, stop, per_step=1):
        """What steps `start` to `stop - 1` take, for `fit`: a `tf.data.Dataset`, or on JAX a
        generator, of scaled images; see `steps.of_step`."""
        if keras.backend.backend() == "tensorflow":
            return _tf_data(self, start, stop, per_step)
        images = (steps.of_step(self.batch, step, per_step) for step in range(start, stop))
        return ((scaled(x),) for x in images)


def _tf_data(images, start, stop, per_step):
    """Batches cross from Python to TensorFlow as uint8, and become float32 there."""
    import tensorflow as tf

    def load(step):
        x = tf.numpy_function(
            lambda step: steps.of_step(images.batch, int(step), per_step), [step], tf.uint8
        )
        return tf.ensure_shape(x, (images.batch_size * per_step, *images.shape))

    dataset = tf.data.Dataset.range(start, stop).map(load, num_parallel_calls=2)
    dataset = dataset.map(lambda x: tf.cast(x, tf.float32) / 127.5 - 1, num_parallel_calls=2)
    return dataset.prefetch(4)
