"""GDPP-GAN (Elfeki et al. 2019, https://arxiv.org/abs/1812.00068).

As the authors' code (github.com/M-Elfeki/GDPP) where the paper is silent.
"""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import fields, objectives
from bms_keras.methods.gan import GAN, features_of
from bms_keras.tiling import packed


@keras.saving.register_keras_serializable("bms_keras")
class GDPPGAN(GAN):
    """A GAN whose samples are to be as diverse as the data, in the critic's features.

    To G's loss comes the GDPP term of a batch of data and one of samples (`objectives.gdpp`,
    eqs. 5 and 6 there), computed on the last hidden layer of D.

    Args:
        generator: G, from `(batch, latent_dim)` to data.
        image_critic: log D_I, from data to `(batch, 1)`.
        diversity_weight: Weight of the GDPP term.
        critic_loss: The authors' critic is a classifier.
        **kwargs: See `GAN`.
    """

    RULES: ClassVar = {"diversity_weight": (fields.at_least_0, "weight of the GDPP term")}

    def __init__(
        self,
        generator,
        image_critic,
        diversity_weight=1.0,
        critic_loss="cross_entropy",
        **kwargs,
    ):
        super().__init__(generator, image_critic, critic_loss=critic_loss, **kwargs)
        self.keep(diversity_weight=diversity_weight)
        self.features = features_of(self.image_critic)

    def generator_loss(self, x):
        generated = self.generated(x)
        adversarial = self.adversarial_loss(x, generated)
        packs = (packed(part, self.pack) for part in (self.shuffled(x), generated))
        features = [self.features(each, training=True) for each in packs]
        diversity = objectives.gdpp(*(ops.reshape(f, (ops.shape(f)[0], -1)) for f in features))
        return adversarial + self.diversity_weight * diversity, {"diversity": diversity}
