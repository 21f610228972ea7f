"""VEEGAN (Srivastava et al. 2017, https://arxiv.org/abs/1705.07761).

As the authors' code (github.com/akashgit/VEEGAN, VEEGAN_2D_RING.ipynb) where the paper is silent.
"""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import fields, objectives
from bms_keras.game import Player
from bms_keras.methods.autoencoding import Autoencoding


@keras.saving.register_keras_serializable("bms_keras")
class VEEGAN(Autoencoding):
    """A GAN with a reconstructor R that maps data back to noise.

        G and R minimise E_{z~p} [D(z, G(z)) + |z - R(G(z))|^2 / 2]

    D is a classifier of pairs, (z, G(z)) against (z', x) with z' ~ N(R(x), I), whose logit
    estimates their log-ratio (algorithm 1); a mode that G drops is one that R cannot map to the
    prior. The second term is -log N(z; R(G(z)), I), but for a constant: R is a Gaussian of unit
    variance by design. Of what the recognition network puts out only the mean is used, and `encode`
    and the exports say log-variance 0. The authors' G takes one number of noise more, which R does
    not look for.

    Args:
        recognition: R, from data to `(batch, 2 * latent_dim)`, of which the first half is R(x).
        generator: G, from `(batch, latent_dim)` to data.
        joint_critic: D, from data and latents to a logit `(batch, 1)`.
        latent_weight: Weight of half the squared distance of z from R(G(z)); 1 in the paper.
        ema, seed: See `Game`.
    """

    log_variances = (0.0, 0.0)  # so `posterior` draws from N(R(x), I)

    RULES: ClassVar = {"latent_weight": (fields.at_least_0, "weight of |z - R(G(z))|^2 / 2")}

    def __init__(self, recognition, generator, joint_critic, latent_weight=1.0, **kwargs):
        networks = {
            "recognition": recognition,
            "generator": generator,
            "joint_critic": joint_critic,
        }
        super().__init__(networks, **kwargs)
        self.keep(latent_weight=latent_weight)

    def players(self):
        """G and R together, then D."""
        return [
            Player("generator", (self.generator, self.recognition), self.generator_loss),
            Player("joint_critic", (self.joint_critic,), self.joint_critic_loss),
        ]

    def generator_loss(self, x):
        z = self.prior(ops.shape(x)[0])
        generated = self.decode(z)
        squares = ops.square(z - self.code(generated))
        reconstruction = 0.5 * ops.mean(ops.sum(squares, -1))
        ratio = ops.mean(self.log_joint_ratio(generated, z))
        return ratio + self.latent_weight * reconstruction, {
            "reconstruction": reconstruction,
            "ratio": ratio,
        }

    def joint_critic_loss(self, x):
        z = self.prior(ops.shape(x)[0])
        generated = self.log_joint_ratio(self.decode(z), z)
        data = self.log_joint_ratio(x, self.posterior(x, 1)[0])
        loss = objectives.cross_entropy(generated, data)
        return loss, {"generated": ops.mean(generated), "data": ops.mean(data)}

    def log_joint_ratio(self, x, z):
        """The logit of D, an estimate of log p(z) p(x|z) / q(z|x) p(x), `(B,)`."""
        pair = [ops.convert_to_tensor(tensor) for tensor in (x, z)]
        return objectives.log_ratio(self.joint_critic(pair, training=True))
