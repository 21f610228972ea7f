"""BEGAN: boundary equilibrium GAN (Berthelot et al. 2017, https://arxiv.org/abs/1703.10717)."""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import distribution, fields, objectives
from bms_keras.game import Game, Player


@keras.saving.register_keras_serializable("bms_keras")
class BEGAN(Game):
    """The critic is an autoencoder D, which judges by its error L(v) = |v - D(v)|.

        D minimises L(x) - k L(G(z)); G minimises L(G(z)); k += lambda_k (gamma L(x) - L(G(z)))

    The state k, in [0, 1], keeps the two errors at the ratio gamma (section 3.4).

    Args:
        generator: G, from `(batch, latent_dim)` to data.
        autoencoder: D, from data to data.
        gamma: Diversity ratio; less is less diverse and more faithful.
        lambda_k: Rate of k.
        ema, seed: See `Game`.
    """

    RULES: ClassVar = {
        "gamma": (fields.share, "diversity ratio; less is less diverse and more faithful"),
        "lambda_k": (fields.share, "rate of k"),
    }

    def __init__(self, generator, autoencoder, gamma=0.5, lambda_k=0.001, **kwargs):
        super().__init__({"generator": generator, "autoencoder": autoencoder}, **kwargs)
        self.keep(gamma=gamma, lambda_k=lambda_k)
        self.k = self.add_weight(shape=(), initializer="zeros", trainable=False, name="k")

    def players(self):
        """D's turn, then G's."""
        return [
            Player("autoencoder", (self.autoencoder,), self.autoencoder_loss),
            Player("generator", (self.generator,), self.generator_loss),
        ]

    def autoencoder_loss(self, x):
        """Section 3.4: the loss of D, and k for the next step; M is the paper's convergence."""
        fake_x = ops.stop_gradient(self.generated(x))
        real, fake = self.error(x), self.error(fake_x)
        loss = real - self.k * fake
        balance = distribution.mean_over_replicas(ops.stop_gradient(self.gamma * real - fake))
        self.k.assign(ops.clip(self.k + self.lambda_k * balance, 0.0, 1.0))
        return loss, {"real": real, "fake": fake, "k": self.k + 0, "M": real + ops.abs(balance)}

    def generator_loss(self, x):
        return self.error(self.generated(x)), {}

    def error(self, x):
        """L(v), the mean over data and dimensions of |v - D(v)|."""
        return ops.mean(objectives.distance(x, self.autoencoder(x, training=True)[None]))
