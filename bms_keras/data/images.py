"""Images from an `.npz`, a folder or tfds: one seeded pipeline of uint8, scaled late.

Whatever the source, the images are brought to one size once and then lie as uint8 in memory or in
a memory-mapped file; a batch is a function of (seed, step).
"""

import functools
import hashlib
import pathlib

import keras
import numpy as np

from bms_keras import cache
from bms_keras.data import decoding
from bms_keras.errors import BadInput


def scaled(images):
    """uint8 in 0..255 as float32 in [-1, 1]."""
    return images.astype("float32") / 127.5 - 1


def quantized(x):
    """Numbers in [-1, 1] as uint8 in 0..255; what lies outside is cut off."""
    return np.round(np.clip(np.asarray(x, "float32") + 1, 0, 2) * 127.5).astype("uint8")


class Images:
    """Training and held-out images of one size.

    Args:
        train, test: uint8 arrays `(n, height, width, channels)`; memory-mapped ones will do.
        batch_size: Images a batch.
        seed: Integer seed of the order.
        name: What the images are called in the names of cached statistics.

    Raises:
        BadInput: If there are fewer training images than a batch holds.
    """

    kind = "images"

    def __init__(self, train, test, batch_size, seed, name="images"):
        if len(train) < batch_size:
            raise BadInput(
                f"{name} has {len(train)} training images: config.batch_size must be at most that. "
                f"Received: {batch_size}"
            )
        self.train, self.test = train, test
        self.batch_size = batch_size
        self.seed = seed
        self.name = name
        self.shape = tuple(train.shape[1:])

    def batch(self, step):
        """The batch of a step, uint8 `(batch_size, *shape)`; a function of (seed, step)."""
        return self.train[self.indices(step)]

    def indices(self, step):
        """Which training images the batch of a step holds, `(batch_size,)`.

        Each epoch visits the images in an order of its own; what is left at its end, less than a
        batch, is dropped. Within a batch they ascend: a mapped file is read in one direction.
        """
        epoch, place = divmod(step, len(self.train) // self.batch_size)
        return np.sort(self._order(epoch)[place * self.batch_size :][: self.batch_size])

    @functools.lru_cache(maxsize=2)  # noqa: B019  (data sets live as long as the process)
    def _order(self, epoch):
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, epoch]))
        return rng.permutation(len(self.train))

    def images(self, n, split="test"):
        """The first `n` images of a split, or all there are, as uint8."""
        return np.asarray((self.test if split == "test" else self.train)[:n])

    def points(self, n):
        """The first `n` held-out images, scaled to [-1, 1]; fewer where there are fewer."""
        return scaled(self.images(n))

    @functools.cached_property
    def fingerprint(self):
        """Tells data sets apart whose statistics are cached: name, size and a checksum."""
        parts = [self.train[:: max(1, len(self.train) // 1000)], self.test]
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
        counts = f"{len(self.train)}-{len(self.test)}-{'x'.join(map(str, self.shape))}"
        return f"{self.name}-{counts}-{digest.hexdigest()[:16]}"

    def batches(self, start, stop):
        """The scaled batches of steps `start` to `stop - 1`, for `fit`: a `tf.data.Dataset`, or on
        JAX a generator."""
        if keras.backend.backend() == "tensorflow":
            return _tf_data(self, start, stop)
        return ((scaled(self.batch(step)),) for step in range(start, stop))


def _tf_data(images, start, stop):
    """Batches cross from Python to TensorFlow as uint8, and become float32 there."""
    import tensorflow as tf

    def load(step):
        x = tf.numpy_function(lambda step: images.batch(int(step)), [step], tf.uint8)
        return tf.ensure_shape(x, (images.batch_size, *images.shape))

    dataset = tf.data.Dataset.range(start, stop).map(load, num_parallel_calls=2)
    dataset = dataset.map(lambda x: tf.cast(x, tf.float32) / 127.5 - 1, num_parallel_calls=2)
    return dataset.prefetch(4)


def from_npz(config, batch_size, seed):
    """Images of an `.npz`: `x_train` and, unless a share of that is to be held out, `x_test`.

    The arrays are uint8, `(n, height, width)` or `(n, height, width, channels)`.
    """
    path = pathlib.Path(config.source)
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = {name: file[name] for name in ("x_train", "x_test") if name in file.files}
            names = ", ".join(file.files)
    except cache.UNREADABLE as error:
        raise BadInput(f"{path} cannot be read as an .npz: {error}") from None
    if "x_train" not in parts:
        raise BadInput(f"{path} must hold x_train. Received: {names}")
    parts = {name: decoding.fitted(part, config, f"{path}:{name}") for name, part in parts.items()}
    train = parts["x_train"]
    if "x_test" in parts:
        test = parts["x_test"]
    else:
        test, train = _split(train[_shuffled(len(train))], config)
    if not len(test) or test.shape[1:] != train.shape[1:]:
        raise BadInput(
            f"{path}: x_test must be one or more images of the size of x_train, "
            f"{train.shape[1:]}. Received: {test.shape}"
        )
    return Images(train, test, batch_size, seed, path.stem)


def from_folder(config, batch_size, seed):
    """Every PNG, JPEG and WebP file of a folder and of the folders in it."""
    files = decoding.image_files(config.source)
    files = [files[i] for i in _shuffled(len(files))]
    test, train = _split(decoding.decoded(files, config), config)
    return Images(train, test, batch_size, seed, pathlib.Path(config.source).resolve().name)


def from_tfds(config, batch_size, seed):
    """The splits "train" and "test" of a data set of tensorflow-datasets, `tfds:NAME`."""
    name = config.source.removeprefix("tfds:")
    parts = [decoding.from_tfds(name, split, config) for split in ("train", "test")]
    return Images(*parts, batch_size, seed, name)


def _shuffled(n):
    """`range(n)` in an order drawn once and for all."""
    return np.random.Generator(np.random.Philox(key=0)).permutation(n)


def _split(images, config):
    """The share at the start that is held out for the metrics, and the rest to train on."""
    n = round(len(images) * config.held_out)
    if not 0 < n < len(images):
        raise BadInput(
            f"{config.source} has {len(images)} images, of which config.data.held_out="
            f"{config.held_out} must leave some to train on and some to measure with"
        )
    return images[:n], images[n:]
