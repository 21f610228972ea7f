"""What a game does outside training, as functions of TensorFlow's tensors."""

import math

from keras import ops

from bms_keras import objectives
from bms_keras.backends import shifted, standard_normal
from bms_keras.tiling import best_of, tiled

CHUNK = 500, 2**20  # samples, or numbers if that is more, decoded at a time: bounds the memory
MOST_NUMBERS = 2**26  # that a request may ask for: 256 MiB of float32


def most_samples(model):
    """How many samples of a model the SavedModel draws for a request, at most."""
    return max(1, MOST_NUMBERS // max(math.prod(model.data_shape), model.latent_dim))


class Served:
    """What `Game`, `Autoencoding` and samplers do, as functions of tensors.

    To a sampler it is what `bms_keras.sampling.sampler.Engine` is: `decode`, `call`, `normal`,
    `repeat`, `either`.

    Args:
        model: A `Game` on TensorFlow.
    """

    def __init__(self, model):
        self.model = model

    def network(self, name, x):
        return self.call(self.model.inference_network(name), x)

    def call(self, network, x):
        """What a network makes of `(n, ...)`, float32, a chunk at a time where n is large."""
        import tensorflow as tf

        once = lambda x: ops.cast(network(x, training=False), "float32")  # noqa: E731
        samples, numbers = CHUNK
        size = max(samples, numbers // math.prod(self.model.data_shape))
        y = tf.cond(tf.shape(x)[0] > size, lambda: _in_chunks(once, x, size), lambda: once(x))
        return tf.ensure_shape(y, (None, *network.output_shape[1:]))

    def decode(self, z):
        return self.network("generator", z)

    def normal(self, shape, seed, stream=0):
        return standard_normal(shape, shifted(seed, stream))

    def repeat(self, count, step, state):
        return ops.fori_loop(0, count, step, state)

    def either(self, condition, one, other):
        return ops.cond(condition, one, other)

    def drawing(self, sampler=None):
        """A function of n and a seed: samples G(z), or those of a sampler."""
        import tensorflow as tf

        def draw(n, seed):
            with tf.control_dependencies([self.bounded(n, "n")]):
                n = tf.identity(n)
            if sampler is not None:
                return sampler.draw(self, n, seed)
            return self.decode(self.normal((n, self.model.latent_dim), seed))

        return draw

    def bounded(self, count, name):
        import tensorflow as tf

        most = most_samples(self.model)
        message = f"{name} must be at most {most}"
        return tf.debugging.assert_less_equal(count, tf.cast(most, count.dtype), message)

    def encode(self, x):
        parameters = self.network("recognition", x)
        mean, log_variance = objectives.mean_and_log_variance(parameters, self.model.log_variances)
        return {"mean": mean, "log_variance": log_variance}

    def reconstruct(self, x, samples, seed):
        import tensorflow as tf

        count = tf.cast(samples, "int64") * ops.cast(ops.shape(x)[0], "int64")
        positive = tf.debugging.assert_positive(samples, "samples")
        with tf.control_dependencies([positive, self.bounded(count, "samples")]):
            shape = (tf.identity(samples), ops.shape(x)[0], self.model.latent_dim)
        z = objectives.gaussian(**self.encode(x), noise=standard_normal(shape, seed))
        return best_of(x, tiled(self.decode, z), self.model.norm)

    def score(self, x):
        return {"log_ratio": objectives.log_ratio(self.network("image_critic", x))}


def _in_chunks(function, x, size):
    """What a function makes of `(n, ...)`, `size` rows at a time."""
    import tensorflow as tf

    chunks = -(-tf.shape(x)[0] // size)
    parts = tf.TensorArray(tf.float32, chunks, infer_shape=False)
    _, parts = tf.while_loop(
        lambda i, parts: i < chunks,
        lambda i, parts: (i + 1, parts.write(i, function(x[i * size : (i + 1) * size]))),
        (0, parts),
        parallel_iterations=1,
    )
    return parts.concat()
