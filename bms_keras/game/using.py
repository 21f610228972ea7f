"""What a game is used for once it is trained, in part or in whole."""

import random

import numpy as np

from bms_keras.backends import predict, standard_normal


class Used:
    """Gives `Game` its networks outside training, its samples and its summary."""

    @property
    def latent_dim(self):
        return self.generator.input_shape[-1]

    @property
    def data_shape(self):
        return tuple(self.generator.output_shape[1:])

    def inference_network(self, name):
        """The network to use outside training: its moving average where there is one."""
        return self.averages.get(name) or self.networks[name]

    def call(self, inputs):
        """G(z): data of shape `(batch, *data_shape)` for latents of shape `(batch, latent_dim)`.

        Raises:
            ValueError: If these are no latents: data has `encode` and `reconstruct`.
        """
        shape = tuple(inputs.shape)
        if shape[-1:] != (self.latent_dim,):
            raise ValueError(
                f"a game is called with latents of shape (n, {self.latent_dim}); data is for "
                f"encode and reconstruct. Received: shape={shape}"
            )
        return self.inference_network("generator")(inputs, training=False)

    def sample(self, n, seed=None, batch_size=500, sampler="prior"):
        """Draws `n` samples of the generator, or of a sampler that was fitted to the game.

        Args:
            n: Number of samples.
            seed: Integer; the same seed gives the same samples, on both backends and from an
                exported SavedModel. `None` for fresh ones.
            batch_size: How many to draw at a time, which bounds the memory.
            sampler: "prior" for G(z), z ~ p(z), or a name that `bms_keras.sampling.fit` was given.

        Returns:
            float32 array of shape `(n, *data_shape)`.

        Raises:
            ValueError: If `n` is negative, or if no such sampler was fitted.
        """
        if not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"n must be an integer of at least 0. Received: n={n!r}")
        if n == 0:
            return np.zeros((0, *self.data_shape), "float32")
        if sampler != "prior":
            return self._fitted(sampler).sample(n, seed, batch_size)
        z = standard_normal((n, self.latent_dim), fresh_seed(seed))
        return predict(self.inference_network("generator"), z, batch_size)

    def _fitted(self, sampler):
        if sampler not in self.samplers:
            raise ValueError(
                "sampler must be 'prior' or one that bms_keras.sampling.fit(model, name, data) was "
                f"given, of which there are {', '.join(self.samplers) or 'none'}. "
                f"Received: {sampler!r}"
            )
        return self.samplers[sampler]

    def summary(self, line_length=None, positions=None, print_fn=None, **kwargs):
        """Prints the layers of each network, and which players train it.

        Args:
            line_length, positions, **kwargs: As in `keras.Model.summary`, for each network.
            print_fn: Function of a string that is called instead of `print`.

        Example:

        >>> model.summary()
        recognition, trained by the player 'generator'
        Model: "recognition"
        ...
        """
        say = print if print_fn is None else print_fn
        for name, network in self.networks.items():
            players = [repr(each.name) for each in self.players() if network in each.networks]
            say(f"{name}, trained by the player {' and '.join(dict.fromkeys(players))}")
            network.summary(line_length, positions, print_fn, **kwargs)
        counts = [network.count_params() for network in self.networks.values()]
        averages = f"; moving averages of {' and '.join(self.averages)}" if self.averages else ""
        say(f"{sum(counts):,} parameters in {len(counts)} networks{averages}")


def fresh_seed(seed):
    """The seed, or one that follows `keras.utils.set_random_seed`, as Keras's own do."""
    return random.randrange(2**24) if seed is None else int(seed)
