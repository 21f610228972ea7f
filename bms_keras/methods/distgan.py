"""Dist-GAN (Tran et al. 2018, https://arxiv.org/abs/1803.08887).

As the authors' code (github.com/tntrung/gan) where the paper is silent: for images that of
distgan_image/distgan.py, whose hinge variant is table 6's row.
"""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from bms_keras import fields, objectives
from bms_keras.errors import require
from bms_keras.game import Player
from bms_keras.methods.autoencoding import Autoencoding
from bms_keras.methods.gan import StandardCriticLoss, features_of

RANGE = 2.0  # that of our images, [-1, 1], over that of the authors', [0, 1]


@keras.saving.register_keras_serializable("bms_keras")
class DistGAN(Autoencoding, StandardCriticLoss):
    """An autoencoder and a GAN that share G, with two distance constraints.

    With Phi(x) the features of D_I and D(x) in (0, 1) its score:

    - R minimises |Phi(x) - Phi(G(R(x)))|^2 + lambda_r (f - lambda_w g)^2: the mean difference f of
      the features of reconstructed and generated data equals that, g, of latents, where
      lambda_w = sqrt(latent dimensions / features) (eqs. 1 to 3, the latent-data distance).
    - D_I classifies data and, with a small weight, reconstructions as real, samples not (eq. 5).
    - G minimises |E D(x) - E D(G(z))|, the distance of the critic's scores (eq. 9).

    Where they differ, the authors have for images and for points:

        distances           "features"                      "data"
        Phi                 D_I's last hidden layer         x itself
        R's turn moves      R                               R and G
        |grad D_I| is       the root mean square, of        the length (as Gulrajani et al. 2017)
                            images in [0, 1], as theirs
        reconstructions     all to half of `steps`, none    keep their share
                            from three quarters on

    The hinge is theirs, too: of the scores D(x), and the penalty is subtracted, for it stands
    inside the minus of their loss. Of a root mean square below 1, which images have, it then
    pushes towards 0.

    What differs on purpose: z is normal, theirs uniform in [-1, 1]; their hinge of DCGAN's networks
    is of logits; their code for points has other weights, labels reconstructions as samples, and
    takes the root mean square as well.

    Args:
        recognition: R; only the mean of what it puts out is used.
        generator, image_critic: See `GAN`.
        lambda_r: Weight of the latent-data distance.
        reconstruction_weight: Share of the reconstructions among what counts as real.
        critic_loss: "hinge" or "cross_entropy"; "hinge" with distances of features only.
        gradient_penalty: See `StandardCriticLoss`.
        distances: "features" or "data", see above.
        steps: Steps of the whole training, by which the share of the reconstructions falls; `None`
            if it is not to.
        **kwargs: See `StandardCriticLoss`.
    """

    # R puts out points, which `encode` returns as posteriors of (nearly) no variance.
    log_variances = (objectives.LOG_VARIANCES[0],) * 2

    RULES: ClassVar = {
        "lambda_r": (fields.at_least_0, "weight of the latent-data distance"),
        "reconstruction_weight": (
            fields.share,
            "share of the reconstructions among what counts as real",
        ),
        "critic_loss": (fields.one_of(("hinge", "cross_entropy")), "what D_I minimises"),
        "distances": (
            fields.one_of(("features", "data")),
            "of D_I's features, as the authors have it for images, or of data, as for points",
        ),
        "gamma": (fields.one_of((0.0,)), "none: the sign of the penalty depends on the loss"),
        "pack": (fields.one_of((1,)), "none: distances are those of one data point's features"),
    }

    def __init__(
        self,
        recognition,
        generator,
        image_critic,
        lambda_r=1.0,
        reconstruction_weight=0.05,
        critic_loss="hinge",
        gradient_penalty=1.0,
        distances="features",
        steps=None,
        **kwargs,
    ):
        networks = {
            "recognition": recognition,
            "generator": generator,
            "image_critic": image_critic,
        }
        critic = {"critic_loss": critic_loss, "gradient_penalty": gradient_penalty}
        super().__init__(networks, **critic, **kwargs)
        self.keep(
            lambda_r=lambda_r, reconstruction_weight=reconstruction_weight, distances=distances
        )
        require(steps is None or steps >= 1, "steps", "at least 1, or None", steps)
        if (critic_loss, distances) == ("hinge", "data"):
            raise ValueError(
                "critic_loss='hinge' goes with distances='features'. Received: distances='data'"
            )
        self.steps = steps
        self.features = self.step = None
        if distances == "features":
            self.features = features_of(self.image_critic)
            self.step = self.add_weight(initializer="zeros", trainable=False, name="step")

    def players(self):
        """The autoencoder's turn, then D_I's, then G's."""
        moved = (self.recognition,) if self.features else (self.recognition, self.generator)
        return [
            Player("autoencoder", moved, self.autoencoder_loss),
            *self.image_critic_turns(),
            Player("generator", (self.generator,), self.generator_loss),
        ]

    def autoencoder_loss(self, x):
        """Eqs. 1 to 3."""
        z, prior = self.code(x), self.prior(ops.shape(x)[0])
        reconstruction, generated = self.phi(self.decode(z)), self.phi(self.decode(prior))
        error = ops.mean(objectives.distance(self.phi(x), reconstruction[None], norm=2))
        f = ops.mean(reconstruction - generated)
        # Sums of n independent differences have a deviation of sqrt(n): this makes f and g alike.
        lambda_w = float(np.sqrt(self.latent_dim / np.prod(reconstruction.shape[1:])))
        constraint = ops.square(f - lambda_w * ops.mean(z - prior))
        return error + self.lambda_r * constraint, {"reconstruction": error, "distance": constraint}

    def image_critic_loss(self, x):
        """Eq. 5, with the weights of the authors' code."""
        generated = ops.stop_gradient(self.generated(x))
        reconstructed = ops.stop_gradient(self.decode(self.code(x)))
        real, fake = self.critic_score(x), self.critic_score(generated)
        share = self.reconstruction_share()
        loss = (1 - share) * self.critic_loss_of(real, fake)
        loss = loss + share * self.critic_loss_of(self.critic_score(reconstructed), fake)
        penalty, terms = self.penalty(x, generated)
        loss = loss - penalty if self.critic_loss == "hinge" else loss + penalty
        return loss, {"real": ops.mean(real), "fake": ops.mean(fake), **terms}

    def generator_loss(self, x):
        """Eq. 9."""
        real, fake = self.critic_score(x), self.critic_score(self.generated(x))
        return ops.abs(ops.mean(ops.sigmoid(real)) - ops.mean(ops.sigmoid(fake))), {}

    # The pieces that the losses are made of.

    def phi(self, x):
        """What the distances are of: D_I's features of data, or data; float32."""
        return ops.cast(self.features(x, training=True) if self.features else x, "float32")

    def reconstruction_share(self):
        """The share of the reconstructions now: from half to three quarters of `steps` it falls."""
        if self.step is None or self.steps is None:
            return self.reconstruction_weight
        return self.reconstruction_weight * ops.clip(3 - 4 * self.step / self.steps, 0.0, 1.0)

    def critic_loss_of(self, real, fake):
        if self.critic_loss == "hinge":
            real, fake = ops.sigmoid(real), ops.sigmoid(fake)
        return super().critic_loss_of(real, fake)

    def slope(self, x, generated):
        slope = super().slope(x, generated)
        if not self.features:
            return slope
        return slope * (RANGE / float(np.sqrt(np.prod(self.data_shape))))

    def end_step(self):
        super().end_step()
        if self.step is not None:
            self.step.assign(ops.cast(self.optimizer.iterations, "float32"))

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}
