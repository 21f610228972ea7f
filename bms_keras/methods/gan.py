"""The plain GANs, and what every game with an image critic shares."""

import keras
from keras import ops

from bms_keras import objectives
from bms_keras.errors import one_of
from bms_keras.game import Game, Player


class Adversarial(Game):
    """A game with an image critic D_I, which learns to tell data from samples of G.

    Args:
        networks: See `Game`; with a "generator" and, if its turn is played, an "image_critic".
        critic_loss: "hinge" or "cross_entropy": what D_I minimises.
        margins: (a, b) of the hinge.
        ema, seed: See `Game`.
    """

    def __init__(self, networks, critic_loss="hinge", margins=(1.0, 1.0), **kwargs):
        super().__init__(networks, **kwargs)
        one_of("critic_loss", critic_loss, ("hinge", "cross_entropy"))
        self.critic_loss = critic_loss
        self.margins = tuple(margins)

    def image_critic_loss(self, x):
        """Algorithm 1, line 4: high on data, low on samples of the prior."""
        real = self.log_ratio(x)
        fake = self.log_ratio(self.generated(x))
        if self.critic_loss == "hinge":
            loss = objectives.hinge(real, fake, self.margins)
        else:
            loss = objectives.cross_entropy(real, fake)
        return loss, {"real": ops.mean(real), "fake": ops.mean(fake)}

    def decode(self, z):
        """G(z) in training."""
        return self.generator(z, training=True)

    def generated(self, x):
        """As many samples G(z), z ~ p(z), as there are data points in `x`."""
        return self.decode(self.prior(ops.shape(x)[0]))

    def log_ratio(self, x):
        """log D_I of a batch, `(B,)`."""
        return objectives.log_ratio(self.image_critic(x, training=True))

    def get_config(self):
        own = {"critic_loss": self.critic_loss, "margins": self.margins}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("bms_keras")
class GAN(Adversarial):
    """A generator against an image critic: SN-GAN, if the critic is spectrally normalised.

    G maximises E_{z~p} log D_I(G(z)); D_I minimises the hinge (or, for a classifier, the cross
    entropy) of data against samples.

    Args:
        generator: G, from `(batch, latent_dim)` to data.
        image_critic: log D_I, from data to `(batch, 1)`.
        critic_loss, margins: See `Adversarial`.
        ema, seed: See `Game`.

    Example:

    >>> model = GAN(generator, image_critic)
    >>> model.compile()
    >>> model.fit(dataset, epochs=10)

    Reference: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """

    def __init__(self, generator, image_critic, **kwargs):
        super().__init__({"generator": generator, "image_critic": image_critic}, **kwargs)

    def players(self):
        """G's turn, then D_I's."""
        return [
            Player("generator", (self.generator,), self.generator_loss),
            Player("image_critic", (self.image_critic,), self.image_critic_loss),
        ]

    def generator_loss(self, x):
        """-E_{z~p} log D_I(G(z))."""
        return -ops.mean(self.log_ratio(self.generated(x))), {}
