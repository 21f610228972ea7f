"""What the games with a recognition network share: posterior, encode, reconstruct."""

from keras import ops

from bms_keras import objectives
from bms_keras.backends import several, standard_normal
from bms_keras.errors import require
from bms_keras.game import Game, fresh_seed


class Autoencoding(Game):
    """A game with a recognition network R, from data to mean and log-variance of q(z|x)."""

    samples = 1  # T
    norm = 1  # of |x - x_i|_n
    log_variances = objectives.LOG_VARIANCES  # what log-variances of q(z|x) are kept within

    def posterior(self, x, samples):
        """z_1..z_T from q(z|x), `(T, B, latent_dim)`."""
        noise = self.prior(samples, ops.shape(x)[0])
        return objectives.gaussian(*self._split(self.recognition(x, training=True)), noise)

    def _split(self, parameters):
        """Mean and log-variance of q(z|x) from what R puts out."""
        return objectives.mean_and_log_variance(parameters, self.log_variances)

    # Using the model.

    def encode(self, x, batch_size=500):
        """The posterior of data.

        Args:
            x: Data of shape `(n, *data_shape)`.
            batch_size: How many to encode at a time, which bounds the memory.

        Returns:
            Mean and log-variance of q(z|x), float32 arrays of shape `(n, latent_dim)`.
        """
        parameters = self.serving("recognition").predict(x, batch_size=batch_size, verbose=0)
        mean, log_variance = self._split(parameters)
        return ops.convert_to_numpy(mean), ops.convert_to_numpy(log_variance)

    def reconstruct(self, x, samples=None, seed=None, batch_size=500):
        """The best of `samples` reconstructions of each data point.

        Args:
            x: Data of shape `(n, *data_shape)`.
            samples: How many to draw for each; `None` for the T of training.
            seed: Integer; the same seed gives the same result.
            batch_size: How many to decode at a time, which bounds the memory.

        Returns:
            float32 array like `x`.

        Raises:
            ValueError: If `samples` is less than 1.
        """
        n, samples = len(x), self.samples if samples is None else samples
        require(samples >= 1, "samples", "at least 1", samples)
        noise = standard_normal((samples, n, self.latent_dim), fresh_seed(seed))
        z = objectives.gaussian(*self.encode(x, batch_size), noise)
        generator = self.serving("generator")
        z = ops.reshape(z, (-1, self.latent_dim))
        x_i = generator.predict(z, batch_size=batch_size, verbose=0)
        best, _ = best_of(x, ops.reshape(x_i, (samples, *x.shape)), self.norm)
        return ops.convert_to_numpy(best)


def best_of(x, x_i, norm):
    """The closest of T reconstructions of each data point.

    Args:
        x: Data `(B, ...)`.
        x_i: Reconstructions `(T, B, ...)`.
        norm: See `objectives.distance`.

    Returns:
        The best reconstructions `(B, ...)`, and their distances `(B,)`.
    """
    distances = objectives.distance(x, x_i, norm)
    index = ops.reshape(ops.argmin(distances, axis=0), (1, -1, *[1] * (len(x.shape) - 1)))
    return ops.take_along_axis(x_i, index, axis=0)[0], ops.min(distances, axis=0)


def tiled(function, x):
    """Applies a function of a batch to `(T, B, ...)`, as one batch of T * B."""
    outputs = function(several.spread(ops.reshape(x, (-1, *x.shape[2:]))))
    return several.spread(ops.reshape(outputs, (ops.shape(x)[0], -1, *outputs.shape[1:])), axis=1)
