"""Dist-GAN (Tran et al. 2018, https://arxiv.org/abs/1803.08887).

As the authors' code (github.com/tntrung/gan) where the paper is silent.
"""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from bms_keras import fields, objectives
from bms_keras.game import Player
from bms_keras.methods.autoencoding import Autoencoding
from bms_keras.methods.gan import Judged


@keras.saving.register_keras_serializable("bms_keras")
class DistGAN(Autoencoding, Judged):
    """An autoencoder and a GAN that share G, with two distance constraints.

    - R and G minimise |x - G(R(x))|^2 + lambda_r (f - g)^2: the mean difference f of generated from
      reconstructed data equals that, g, of latents (eqs. 1 to 3, the latent-data distance).
    - D_I classifies data and, with a small weight, reconstructions as real (eq. 5), samples not.
    - G minimises |E D_I(x) - E D_I(G(z))|, the distance of the critic's scores (eq. 9).

    Args:
        recognition: R; only the mean of what it puts out is used.
        generator, image_critic: See `GAN`.
        lambda_r: Weight of the latent-data distance.
        reconstruction_weight: Share of the reconstructions among what counts as real.
        critic_loss, gradient_penalty: The authors' critic is a classifier with a penalty.
        **kwargs: See `Judged`.
    """

    # R puts out points, which `encode` returns as posteriors of (nearly) no variance.
    log_variances = (objectives.LOG_VARIANCES[0],) * 2

    RULES: ClassVar = {
        "lambda_r": (fields.at_least_0, "weight of the latent-data distance"),
        "reconstruction_weight": (
            fields.share,
            "share of the reconstructions among what counts as real",
        ),
    }

    def __init__(
        self,
        recognition,
        generator,
        image_critic,
        lambda_r=1.0,
        reconstruction_weight=0.05,
        critic_loss="cross_entropy",
        gradient_penalty=1.0,
        **kwargs,
    ):
        networks = {
            "recognition": recognition,
            "generator": generator,
            "image_critic": image_critic,
        }
        judgement = {"critic_loss": critic_loss, "gradient_penalty": gradient_penalty}
        super().__init__(networks, **judgement, **kwargs)
        self.require(lambda_r=lambda_r, reconstruction_weight=reconstruction_weight)
        self.lambda_r = lambda_r
        self.reconstruction_weight = reconstruction_weight

    def players(self):
        """The autoencoder's turn, then D_I's, then G's."""
        return [
            Player("autoencoder", (self.recognition, self.generator), self.autoencoder_loss),
            *self.image_critic_turns(),
            Player("generator", (self.generator,), self.generator_loss),
        ]

    def autoencoder_loss(self, x):
        z, prior = self.code(x), self.prior(ops.shape(x)[0])
        reconstruction, generated = self.decode(z), self.decode(prior)
        error = ops.mean(objectives.distance(x, reconstruction[None], norm=2))
        f = ops.mean(reconstruction - generated)
        # Sums of n independent differences have a deviation of sqrt(n): this makes f and g alike.
        g = ops.mean(z - prior) * float(np.sqrt(self.latent_dim / np.prod(self.data_shape)))
        constraint = ops.square(f - g)
        return error + self.lambda_r * constraint, {"reconstruction": error, "distance": constraint}

    def image_critic_loss(self, x):
        generated = ops.stop_gradient(self.generated(x))
        reconstructed = ops.stop_gradient(self.decode(self.code(x)))
        real, fake = self.log_ratio(x), self.log_ratio(generated)
        share = self.reconstruction_weight
        loss, terms = self.penalty(x, generated)
        loss = loss + (1 - share) * self.judgement(real, fake)
        loss = loss + share * self.judgement(self.log_ratio(reconstructed), fake)
        return loss, {"real": ops.mean(real), "fake": ops.mean(fake), **terms}

    def generator_loss(self, x):
        real, fake = self.log_ratio(x), self.log_ratio(self.generated(x))
        return ops.abs(ops.mean(ops.sigmoid(real)) - ops.mean(ops.sigmoid(fake))), {}

    def code(self, x):
        """R(x), the latent of a data point, `(B, latent_dim)`."""
        return objectives.mean_and_log_variance(self.recognition(x, training=True))[0]

    def get_config(self):
        own = {"lambda_r": self.lambda_r, "reconstruction_weight": self.reconstruction_weight}
        return {**super().get_config(), **own}
