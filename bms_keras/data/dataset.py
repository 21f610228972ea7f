"""What a data set states: all that training, metrics, pictures and exports ask of data."""

import functools
import hashlib

import keras
import numpy as np

from bms_keras.data import steps


class Dataset:
    """A data set. One of your own derives from this, sets the first three, and defines the methods
    `batch` and `points`; the rest may stay.

    Attributes:
        name: What it is called.
        shape: Shape of a data point.
        batch_size: Data points a batch.
        kind: What metrics and methods for some data only ask for: "mixture", "images", or a word of
            your own. Data of the kind "images" are best `bms_keras.data.Images`.
        scale, centre: What bring a data point to its own units: x * scale + centre.
        drawing: "scatter" of 2D points, "images", "none", or an object with the methods of
            `bms_keras.Drawing`.
        means, std: The modes' means `(modes, 2)` in the data's own units and their standard
            deviation, where they are known.

    Example:

    >>> class Noise(Dataset):
    ...     name, shape, batch_size = "noise", (2,), 64
    ...     def batch(self, number):
    ...         return np.random.default_rng(number).standard_normal((64, 2), "float32")
    ...     def points(self, n):
    ...         return np.random.default_rng(2**62).standard_normal((n, 2), "float32")
    """

    kind = "points"
    scale = 1.0
    centre = 0.0
    drawing = "none"
    means = std = None

    def batch(self, number):
        """A batch: float32 `(batch_size, *shape)`, a function of the seed and its number alone, so
        that a run can go on at any step."""
        raise NotImplementedError

    def points(self, n):
        """The first `n` points that training never sees, float32; fewer where there are fewer."""
        raise NotImplementedError

    def seen(self, n):
        """`n` training points as the networks take them, float32; the batches in their order."""
        batches = range(-(-n // self.batch_size))
        return np.concatenate([self.batch(number) for number in batches])[:n].astype("float32")

    def labels(self, n):
        """What the Projector calls the first `n` of `points`, a string each: which one it is."""
        return [str(i) for i in range(n)]

    @functools.cached_property
    def fingerprint(self):
        """Tells data sets apart: by the shape and by points that training never sees."""
        points = np.ascontiguousarray(self.points(1000))
        return hashlib.sha256(repr(points.shape).encode() + points.tobytes()).hexdigest()[:32]

    @property
    def contents(self):
        """What a checkpoint notes of its data; see `bms_keras.data.contents`."""
        noted = {name: getattr(self, name) for name in ("kind", "name", "fingerprint")}
        return noted | {"shape": list(self.shape)}

    def unscaled(self, x):
        """Scaled points in the data's own units, float64."""
        return np.asarray(x, "float64") * self.scale + self.centre

    def batches(self, start, stop, per_step=1):
        """What steps `start` to `stop - 1` take, for `fit`: a `tf.data.Dataset`, or on JAX a
        generator; see `steps.of_step`."""
        if keras.backend.backend() == "tensorflow":
            return _tf_data(self, start, stop, per_step)
        return ((steps.of_step(self.batch, step, per_step),) for step in range(start, stop))


def _tf_data(data, start, stop, per_step):
    """Batches are drawn a block at a time: crossing from TensorFlow to Python costs as much as a
    whole step of such small networks. Large batches do not notice, and would fill the memory."""
    import tensorflow as tf

    points = data.batch_size * per_step
    block = max(1, min(100, 10**6 // points))

    def batches(first):
        block_of_steps = range(int(first), min(int(first) + block, stop))
        return np.stack([steps.of_step(data.batch, step, per_step) for step in block_of_steps])

    def draw(first):
        x = tf.numpy_function(batches, [first], tf.float32)
        return tf.ensure_shape(x, (None, points, *data.shape))

    blocks = tf.data.Dataset.range(start, stop, block).map(draw).prefetch(1)
    dataset = blocks.unbatch()
    return dataset.apply(tf.data.experimental.assert_cardinality(stop - start))
