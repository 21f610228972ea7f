"""MD-GAN: mixture density GAN (Eghbal-zadeh et al. 2019, https://arxiv.org/abs/1811.00152).

As the authors' code (github.com/eghbalz/mdgan) where the paper is silent.
"""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from bms_keras import fields, objectives
from bms_keras.methods.gan import Adversarial

EPSILON = 1e-8  # keeps logarithms finite


@keras.saving.register_keras_serializable("bms_keras")
class MDGAN(Adversarial):
    """D embeds data in d dimensions, where a mixture of d + 1 Gaussians says how real they are.

        D maximises E log lk(D(x)) + E log(lambda - lk(D(G(z)))); G minimises the latter

    lk is the mixture's density, its centres the corners of a simplex, and lambda its maximum.

    Args:
        generator: G, from `(batch, latent_dim)` to data.
        image_critic: D, from data to `(batch, d)`.
        variance: Of each Gaussian, in every direction.
        critic_turns, ema, seed: See `Adversarial`.
    """

    RULES: ClassVar = {
        "variance": (
            fields.number(lambda value: 1e-3 <= value <= 1e3, "in [0.001, 1000]"),
            "of each Gaussian, in every direction",
        )
    }

    def __init__(self, generator, image_critic, variance=0.25, **kwargs):
        super().__init__({"generator": generator, "image_critic": image_critic}, **kwargs)
        self.keep(variance=variance)
        self.centres = simplex(image_critic.output_shape[-1])
        self.maximum = mode_density(self.centres, variance)  # lambda

    def likelihood(self, embedding):
        """lk of what D puts out `(B, d)`, `(B,)`."""
        log_variance = float(np.log(self.variance)) + np.zeros_like(self.centres)
        # Bounded, as in the authors' code, to (-2.5, 2.5); far outside the density has no gradient.
        embedding = 5 * ops.sigmoid(ops.cast(embedding, "float32")) - 2.5
        density = objectives.gaussian_log_density(embedding[:, None], self.centres, log_variance)
        return ops.mean(ops.exp(density), -1)

    def image_critic_loss(self, x):
        real = self.likelihood(self.image_critic(x, training=True))
        fake = self.likelihood(self.image_critic(self.generated(x), training=True))
        loss = -ops.mean(ops.log(real + EPSILON)) - self._left(fake)
        return loss, {"real": ops.mean(real), "fake": ops.mean(fake)}

    def generator_loss(self, x):
        return self._left(self.likelihood(self.image_critic(self.generated(x), training=True))), {}

    def _left(self, likelihood):
        """E log(lambda - lk)."""
        return ops.mean(ops.log(ops.relu(self.maximum - likelihood) + EPSILON))


def mode_density(centres, variance, iterations=1000):
    """The maximum of a mixture of isotropic Gaussians of equal weight, by mean shift.

    It lies near a centre or, if the Gaussians are wide, at their mean: both are tried.
    """
    best = 0.0
    for e in (centres[0].astype("float64"), centres.mean(0).astype("float64")):
        for _ in range(iterations):
            density = np.exp(-np.sum((e - centres) ** 2, 1) / (2 * variance))
            e = density @ centres / density.sum()
        best = max(best, density.mean())
    return float(best / (2 * np.pi * variance) ** (centres.shape[1] / 2))


def simplex(d):
    """The d + 1 corners of a regular simplex about 0 at distance 1, float32 `(d + 1, d)`."""
    corners = np.concatenate([np.eye(d), np.full((1, d), (1 - np.sqrt(1 + d)) / d)])
    corners -= corners.mean(0)
    return (corners / np.linalg.norm(corners[0])).astype("float32")
