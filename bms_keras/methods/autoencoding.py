"""What the games with a recognition network share: posterior, encode, reconstruct."""

from keras import ops

from bms_keras import objectives
from bms_keras.backends import predict, standard_normal
from bms_keras.errors import require
from bms_keras.game import Game
from bms_keras.game.using import fresh_seed
from bms_keras.tiling import best_of


class Autoencoding(Game):
    """A game with a recognition network R, from data to mean and log-variance of q(z|x)."""

    has_posterior = True
    samples = 1  # T
    norm = 1  # of |x - x_i|_n
    log_variances = objectives.LOG_VARIANCES  # what log-variances of q(z|x) are kept within

    def posterior(self, x, samples):
        """z_1..z_T from q(z|x), `(T, B, latent_dim)`."""
        noise = self.prior(samples, ops.shape(x)[0])
        return objectives.gaussian(*self._split(self.recognition(x, training=True)), noise)

    def code(self, x):
        """The mean of q(z|x) in training, `(B, latent_dim)`: R(x) where R puts out points."""
        return self._split(self.recognition(x, training=True))[0]

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
        parameters = predict(self.inference_network("recognition"), x, batch_size)
        mean, log_variance = self._split(parameters)
        return ops.convert_to_numpy(mean), ops.convert_to_numpy(log_variance)

    def sample_posterior(self, x, samples=1, seed=None, batch_size=500):
        """Draws z_1..z_T from q(z|x).

        Args:
            x: Data of shape `(n, *data_shape)`.
            samples: T, how many to draw for each data point.
            seed: Integer; the same seed gives the same samples. `None` for fresh ones.
            batch_size: How many to encode at a time, which bounds the memory.

        Returns:
            float32 array `(T, n, latent_dim)`.
        """
        noise = standard_normal((samples, len(x), self.latent_dim), fresh_seed(seed))
        return ops.convert_to_numpy(objectives.gaussian(*self.encode(x, batch_size), noise))

    def reconstructions(self, x, samples=1, seed=None, batch_size=500):
        """The T samples of each data point, x_i = G(z_i) with z_i ~ q(z|x).

        Args:
            x, samples, seed, batch_size: See `sample_posterior`.

        Returns:
            float32 array `(T, n, *data_shape)`.
        """
        z = self.sample_posterior(x, samples, seed, batch_size).reshape(-1, self.latent_dim)
        x_i = predict(self.inference_network("generator"), z, batch_size)
        return x_i.reshape(samples, *x.shape)

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
        samples = self.samples if samples is None else samples
        require(samples >= 1, "samples", "at least 1", samples)
        best, _ = best_of(x, self.reconstructions(x, samples, seed, batch_size), self.norm)
        return ops.convert_to_numpy(best)
