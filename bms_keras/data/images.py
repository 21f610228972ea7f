"""Images as one seeded pipeline of uint8, scaled late.

Whatever the source (see `sources.py`), the images are of one size and lie as uint8 in memory or in
a memory-mapped file; a batch is a function of (seed, step).
"""

import functools

import keras
import numpy as np

from bms_keras.data import contents, steps
from bms_keras.data.dataset import Dataset
from bms_keras.errors import BadInput


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


class Images(Dataset):
    """Training and held-out images of one size.

    Args:
        train, test: uint8 arrays `(n, height, width, channels)`; memory-mapped ones or `Rows` will
            do.
        batch_size: Images a batch.
        seed: Integer seed of the order.
        name: What the images are called.
        digests: Of each split's images, uint64 `(n,)` each; those of the arrays if not given.
        prepared: What was done to the sources of which these are the digests, if anything.

    Raises:
        BadInput: If there are fewer training images than a batch holds.
    """

    kind = drawing = "images"

    def __init__(self, train, test, batch_size, seed, name="images", digests=None, prepared=()):
        if len(train) < batch_size:
            raise BadInput(
                f"{name} has {len(train)} training images: config.batch_size must be at most that. "
                f"Received: {batch_size}"
            )
        self.train, self.test = train, test
        self.batch_size = batch_size
        self.seed = seed
        self.name = name
        self.prepared = prepared
        self.shape = tuple(train.shape[1:])
        if digests:
            self.digests = digests

    @functools.cached_property
    def digests(self):
        """What tells the images apart, uint64: of those to train on, and of those held out."""
        return contents.of_rows(self.train), contents.of_rows(self.test)

    def batch(self, number):
        """A batch, uint8 `(batch_size, *shape)`; a function of the seed and its number."""
        return self.train[self.indices(number)]

    def indices(self, number):
        """Which training images a batch holds, `(batch_size,)`.

        Each epoch visits the images in an order of its own; what is left at its end, less than a
        batch, is dropped. Within a batch they ascend: a mapped file is read in one direction.
        """
        epoch, place = divmod(number, len(self.train) // self.batch_size)
        return np.sort(self._order(epoch)[place * self.batch_size :][: self.batch_size])

    @functools.lru_cache(maxsize=2)  # noqa: B019  (data sets live as long as the process)
    def _order(self, epoch):
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, epoch]))
        return rng.permutation(len(self.train))

    def images(self, n, split="test"):
        """A sample of `n` images of a split, or all there are, as uint8.

        The sample is drawn once and for all, whatever the run's seed: that of fewer images is the
        beginning of that of more. Where the data lie sorted by class, it is of all classes.
        """
        images = self.test if split == "test" else self.train
        order = np.random.Generator(np.random.Philox(key=0)).permutation(len(images))
        return np.asarray(images[order[:n]])

    def points(self, n):
        """A sample of `n` held-out images, scaled to [-1, 1]; fewer where there are fewer."""
        return scaled(self.images(n))

    @functools.cached_property
    def fingerprint(self):
        """Tells data sets apart by their images, the split and how they were prepared: not by name,
        nor by where they lie."""
        return contents.fingerprint(*self.digests, (self.shape, self.prepared))

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
